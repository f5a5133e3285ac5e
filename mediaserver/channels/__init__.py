"""What viewers watch: channels, stream keys and who is live."""
