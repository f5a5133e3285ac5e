"""Teams of streamers."""
