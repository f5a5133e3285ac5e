"""Live chat: lines, replies, emotes, pins and what moderators do to them."""
