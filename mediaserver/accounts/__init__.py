"""Who someone is: users, passwords, sessions, tokens."""
