"""`--demo`: channels that are live without an encoder, and a chat that talks by itself."""

from mediaserver.demo.channels import DEMO_CHANNELS, DEMO_VIEWERS, Demo
from mediaserver.demo.gifts import Till

__all__ = ["DEMO_CHANNELS", "DEMO_VIEWERS", "Demo", "Till"]
