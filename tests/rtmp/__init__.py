"""Instruments that publish over RTMP. They share no code with the server."""
