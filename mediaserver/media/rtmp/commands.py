"""Messages in both directions: chunks' payloads → pyrtmp's classes, and our answers to encoders.

Tolerant by intent: missing optional arguments and unknown commands are normal. Enhanced RTMP's
part of `connect` follows its specification v2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mediaserver.media.rtmp import amf
from mediaserver.media.rtmp.amf import AmfValue
from mediaserver.media.rtmp.vocabulary import (
    Chunk,
    NCConnect,
    NCCreateStream,
    NSCloseStream,
    NSDeleteStream,
    NSPublish,
)

ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE = 0x03, 0x04, 0x05
AUDIO, VIDEO = 0x08, 0x09
COMMAND_AMF3, COMMAND_AMF0 = 0x11, 0x14
PING_REQUEST = 6

PUBLISH_STREAM_ID = 1
_COMMAND_CHUNK_ID = 3
_FOUR_CCS = ("avc1", "hvc1", "av01", "mp4a", "Opus")


@dataclass(frozen=True, slots=True)
class OtherCommand:
    """A command that needs no more than an answer, if that."""

    name: str
    transaction_id: float


Command: TypeAlias = (
    NCConnect | NCCreateStream | NSPublish | NSCloseStream | NSDeleteStream | OtherCommand
)


def parse_command(chunk: Chunk) -> Command:
    """A command message. Raises `AmfError`."""
    payload = chunk.payload
    if chunk.msg_type_id == COMMAND_AMF3 and payload[:1] == b"\x00":
        payload = payload[1:]  # AMF3 envelopes carry AMF0 values behind one byte
    values = amf.decode(payload)
    name = _text(values, 0)
    transaction_id = values[1] if len(values) > 1 and isinstance(values[1], float) else 0.0
    fields = chunk.__dict__
    match name:
        case "connect":
            argument = values[2] if len(values) > 2 else None
            return NCConnect(
                command_name=name,
                transaction_id=transaction_id,
                command_object=argument if isinstance(argument, Mapping) else {},
                optional_user_arguments=None,
                **fields,
            )
        case "createStream":
            return NCCreateStream(
                command_name=name, transaction_id=transaction_id, command_object={}, **fields
            )
        case "publish":
            return NSPublish(
                command_name=name,
                transaction_id=transaction_id,
                command_object={},
                publishing_name=_text(values, 3),
                publishing_type=_text(values, 4) or "live",
                **fields,
            )
        case "closeStream" | "FCUnpublish":
            return NSCloseStream(
                command_name=name, transaction_id=transaction_id, command_object={}, **fields
            )
        case "deleteStream":
            return NSDeleteStream(
                command_name=name,
                stream_id=PUBLISH_STREAM_ID,
                transaction_id=transaction_id,
                command_object={},
                **fields,
            )
    return OtherCommand(name, transaction_id)


def _text(values: list[AmfValue], index: int) -> str:
    value = values[index] if index < len(values) else None
    return value if isinstance(value, str) else ""


def connect_result(transaction_id: float) -> Chunk:
    """`_result` of connect: welcome, with the codecs that we take.

    Always AMF0, whatever was asked for: we read no AMF3 values.
    """
    properties: dict[str, AmfValue] = {"fmsVer": "FMS/3,5,3,888", "capabilities": 31, "mode": 1}
    information: dict[str, AmfValue] = {
        "level": "status",
        "code": "NetConnection.Connect.Success",
        "description": "Connected.",
        "objectEncoding": 0,
        "fourCcList": list(_FOUR_CCS),
        "capsEx": 0,
    }
    return command("_result", transaction_id, properties, information)


def connect_refused(transaction_id: float, description: str) -> Chunk:
    return command(
        "_error",
        transaction_id,
        None,
        {
            "level": "error",
            "code": "NetConnection.Connect.Rejected",
            "description": description,
        },
    )


def create_stream_result(transaction_id: float) -> Chunk:
    return command("_result", transaction_id, None, PUBLISH_STREAM_ID)


def status(level: str, code: str, description: str) -> Chunk:
    """`onStatus` on the publish stream; encoders show the description of an error."""
    return command(
        "onStatus",
        0,
        None,
        {"level": level, "code": code, "description": description},
        stream_id=PUBLISH_STREAM_ID,
    )


def command(name: str, transaction_id: float, *arguments: AmfValue, stream_id: int = 0) -> Chunk:
    payload = amf.encode(name, transaction_id, *arguments)
    return Chunk(
        chunk_type=0,
        chunk_id=_COMMAND_CHUNK_ID,
        timestamp=0,
        msg_length=len(payload),
        msg_type_id=COMMAND_AMF0,
        msg_stream_id=stream_id,
        payload=payload,
    )
