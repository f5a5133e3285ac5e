"""Socket.IO: connections, rooms, limits per client, and the relay of what has happened."""
