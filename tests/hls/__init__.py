"""Instruments that judge what the HLS origin serves. They share no code with the server."""
