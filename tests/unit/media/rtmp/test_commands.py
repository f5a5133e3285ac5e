"""Commands as encoders word them, and our answers byte for byte."""

from __future__ import annotations

import struct

import pytest

from mediaserver.media.rtmp import amf, commands
from mediaserver.media.rtmp.amf import AmfError, AmfValue
from mediaserver.media.rtmp.commands import OtherCommand, parse_command
from mediaserver.media.rtmp.vocabulary import (
    NCConnect,
    NCCreateStream,
    NSCloseStream,
    NSDeleteStream,
    NSPublish,
)
from tests.unit.media.rtmp.wire import message

AMF0, AMF3 = 20, 17


def parse(*values: AmfValue, type_id: int = AMF0) -> commands.Command:
    prefix = b"\x00" if type_id == AMF3 else b""
    return parse_command(message(prefix + amf.encode(*values), type_id=type_id))


@pytest.mark.parametrize("type_id", [AMF0, AMF3])
def test_connect(type_id: int) -> None:
    command = parse("connect", 1, {"app": "live", "fourCcList": ["hvc1", "av01"]}, type_id=type_id)
    assert isinstance(command, NCConnect)
    assert command.transaction_id == 1
    assert command.command_object == {"app": "live", "fourCcList": ["hvc1", "av01"]}


@pytest.mark.parametrize("values", [("connect",), ("connect", 1), ("connect", 1, None)])
def test_connect_without_an_object(values: tuple[AmfValue, ...]) -> None:
    command = parse(*values)
    assert isinstance(command, NCConnect)
    assert command.command_object == {}


@pytest.mark.parametrize("values", [("createStream", 4, None), ("createStream", 4)])
def test_create_stream_with_and_without_an_object(values: tuple[AmfValue, ...]) -> None:
    command = parse(*values)
    assert isinstance(command, NCCreateStream)
    assert command.transaction_id == 4


@pytest.mark.parametrize(
    ("values", "name", "publishing_type"),
    [
        (("publish", 5, None, "key", "live"), "key", "live"),
        (("publish", 5, None, "key", "record"), "key", "record"),
        (("publish", 5, None, "key"), "key", "live"),
        (("publish", 5, None), "", "live"),
        (("publish",), "", "live"),
        (("publish", 5, None, 7, 8), "", "live"),
        (("publish", "5", None, "key", None), "key", "live"),
    ],
)
def test_publish(values: tuple[AmfValue, ...], name: str, publishing_type: str) -> None:
    command = parse(*values)
    assert isinstance(command, NSPublish)
    assert command.publishing_name == name
    assert command.publishing_type == publishing_type


@pytest.mark.parametrize("name", ["closeStream", "FCUnpublish"])
def test_close(name: str) -> None:
    assert isinstance(parse(name, 0, None), NSCloseStream)


def test_delete_stream() -> None:
    assert isinstance(parse("deleteStream", 0, None, 1), NSDeleteStream)
    assert isinstance(parse("deleteStream"), NSDeleteStream)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("releaseStream", 2, None, "k"), OtherCommand("releaseStream", 2.0)),
        (("play", 3, None, "k"), OtherCommand("play", 3.0)),
        (("_checkbw", 3, None), OtherCommand("_checkbw", 3.0)),
        ((), OtherCommand("", 0.0)),
        ((None, None), OtherCommand("", 0.0)),
        ((True, True), OtherCommand("", 0.0)),
        (({"a": 1}, ["b"]), OtherCommand("", 0.0)),
    ],
)
def test_anything_else_is_another_command(
    values: tuple[AmfValue, ...], expected: OtherCommand
) -> None:
    assert parse(*values) == expected


def test_an_amf3_message_without_its_envelope_byte() -> None:
    payload = amf.encode("createStream", 2, None)
    assert isinstance(parse_command(message(payload, type_id=AMF3)), NCCreateStream)


def test_what_is_no_amf_is_refused() -> None:
    with pytest.raises(AmfError):
        parse_command(message(b"\x02\x00\x07conn", type_id=AMF0))


def test_connect_result() -> None:
    answer = commands.connect_result(1)
    assert (answer.chunk_id, answer.msg_type_id, answer.msg_stream_id) == (3, AMF0, 0)
    assert amf.decode(answer.payload) == [
        "_result",
        1.0,
        {"fmsVer": "FMS/3,5,3,888", "capabilities": 31.0, "mode": 1.0},
        {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connected.",
            "objectEncoding": 0.0,  # AMF0
            "fourCcList": ["avc1", "hvc1", "av01", "mp4a", "Opus"],
            "capsEx": 0.0,
        },
    ]


def test_connect_refused() -> None:
    answer = commands.connect_refused(1, "No.")
    assert amf.decode(answer.payload) == [
        "_error",
        1.0,
        None,
        {"level": "error", "code": "NetConnection.Connect.Rejected", "description": "No."},
    ]


def test_create_stream_result_is_stream_1() -> None:
    answer = commands.create_stream_result(4)
    assert answer.msg_stream_id == 0
    assert answer.payload == (
        b"\x02\x00\x07_result\x00" + struct.pack(">d", 4) + b"\x05\x00" + struct.pack(">d", 1)
    )
    assert answer.msg_length == len(answer.payload)


def test_status_goes_to_the_publish_stream() -> None:
    answer = commands.status("error", "NetStream.Publish.BadName", "Taken.")
    assert answer.msg_stream_id == 1
    assert amf.decode(answer.payload) == [
        "onStatus",
        0.0,
        None,
        {"level": "error", "code": "NetStream.Publish.BadName", "description": "Taken."},
    ]
