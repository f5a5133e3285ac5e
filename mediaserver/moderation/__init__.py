"""Who may do what in a chat: moderators, bans, time-outs, rules, the log of actions."""
