"""Bytes that real encoders sent to an RTMP server, with their exact figures in `manifest.py`."""
