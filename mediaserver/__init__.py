"""mediaserver: a self-contained live-streaming site. See ARCHITECTURE.md for the map."""

__version__ = "0.1.0"
