"""pyrtmp's message classes and controller shape: the one import of pyrtmp.

Importing pyrtmp 0.3.1 configures the root logger to DEBUG and every one of its own; both are put
back here. Its reader and serializers are not used: see ARCHITECTURE.md for the defects they have.
"""

from __future__ import annotations

import logging

_root = logging.getLogger()
_root_before = (_root.level, _root.handlers[:])

from pyrtmp.messages import Chunk  # noqa: E402
from pyrtmp.messages.audio import AudioMessage  # noqa: E402
from pyrtmp.messages.command import (  # noqa: E402
    NCConnect,
    NCCreateStream,
    NSCloseStream,
    NSDeleteStream,
    NSPublish,
)
from pyrtmp.messages.data import MetaDataMessage  # noqa: E402
from pyrtmp.messages.protocol_control import (  # noqa: E402
    Acknowledgement,
    SetChunkSize,
    SetPeerBandwidth,
    WindowAcknowledgementSize,
)
from pyrtmp.messages.user_control import (  # noqa: E402
    PingRequest,
    PingResponse,
    StreamBegin,
)
from pyrtmp.messages.video import VideoMessage  # noqa: E402
from pyrtmp.rtmp import BaseRTMPController  # noqa: E402
from pyrtmp.session_manager import SessionManager  # noqa: E402

_root.setLevel(_root_before[0])
_root.handlers[:] = _root_before[1]
for _name in list(logging.root.manager.loggerDict):
    if _name.startswith("pyrtmp"):
        logging.getLogger(_name).setLevel(logging.WARNING)

__all__ = [
    "Acknowledgement",
    "AudioMessage",
    "BaseRTMPController",
    "Chunk",
    "MetaDataMessage",
    "NCConnect",
    "NCCreateStream",
    "NSCloseStream",
    "NSDeleteStream",
    "NSPublish",
    "PingRequest",
    "PingResponse",
    "SessionManager",
    "SetChunkSize",
    "SetPeerBandwidth",
    "StreamBegin",
    "VideoMessage",
    "WindowAcknowledgementSize",
]
