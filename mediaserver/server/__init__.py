"""The composition root: makes every part, starts them in reading order, stops them in reverse.

server.py is the order; foundations.py lays what everything stands on, features.py puts each part of
the site into the web application under its key, media_path.py opens the engine, listening.py the
ports.
"""

from __future__ import annotations

from mediaserver.server.commands import forget_test_money, run_command
from mediaserver.server.media_path import MediaPath, OpenMedia
from mediaserver.server.server import Server

__all__ = ["MediaPath", "OpenMedia", "Server", "forget_test_money", "run_command"]
