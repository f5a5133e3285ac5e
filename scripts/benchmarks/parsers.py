"""`python -m benchmarks.parsers JSON`: CPU of parsing an RTMP byte stream to messages, no more.

Options: `parser`, "stock" for pyrtmp 0.3.1 as it comes (SessionManager and MessageFactory, fed
from memory, so without any socket) or "ours" for the chunk reader and the FLV tags; `clip`,
`chunk`, `seconds`. Says {"cpu_s", "messages"}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from benchmarks.clip import read
from benchmarks.rtmp_sender import message, set_chunk_size, stamped
from mediaserver.media import flv
from mediaserver.media.rtmp.chunks import ChunkReader


def excerpt(clip: Path, chunk_size: int, seconds: float) -> bytes:
    """What the sender sends in that time, behind the handshake and the commands."""
    headers, frames = read(clip)
    tags = headers + [tag for tag in frames if tag.ms < seconds * 1000]
    out = [set_chunk_size(chunk_size)]
    out += [stamped(message(tag, chunk_size), tag.ms) for tag in tags]
    return b"".join(out)


async def stock(data: bytes) -> int:
    """pyrtmp's own loop, with a controller that does nothing with its messages."""
    from pyrtmp import StreamClosedException
    from pyrtmp.messages.factory import MessageFactory
    from pyrtmp.messages.protocol_control import SetChunkSize
    from pyrtmp.session_manager import SessionManager

    logging.disable()
    reader = asyncio.StreamReader(limit=len(data))
    reader.feed_data(data)
    reader.feed_eof()
    session = SessionManager(reader=reader, writer=None)
    messages = 0
    try:
        async for chunk in session.read_chunks_from_stream():
            made = MessageFactory.from_chunk(chunk)
            if isinstance(made, SetChunkSize):
                session.reader_chunk_size = made.chunk_size
            messages += 1
    except StreamClosedException:
        pass
    return messages


def ours(data: bytes) -> int:
    """In pieces of a frame or so, as a socket gives them."""
    chunks = ChunkReader()
    messages = 0
    for at in range(0, len(data), 32_768):
        chunks.feed(data[at : at + 32_768])
        for chunk in chunks.messages():
            if chunk.msg_type_id == 9:
                flv.parse_video(chunk.payload, chunk.timestamp)
            elif chunk.msg_type_id == 8:
                flv.parse_audio(chunk.payload, chunk.timestamp)
            messages += 1
    return messages


def main() -> None:
    options = json.loads(sys.argv[1])
    data = excerpt(Path(options["clip"]), options["chunk"], options["seconds"])
    began = time.process_time()
    messages = asyncio.run(stock(data)) if options["parser"] == "stock" else ours(data)
    print(json.dumps({"cpu_s": time.process_time() - began, "messages": messages}), flush=True)


if __name__ == "__main__":
    main()
