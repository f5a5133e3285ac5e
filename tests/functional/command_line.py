"""The `mediaserver` command in processes of its own, with one storage folder and free ports."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


def command_environment(tmp_path: Path, database_url: str = "") -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONWARNINGS": "error",
        "MEDIASERVER_STORAGE__PATH": str(tmp_path / "storage"),
        "MEDIASERVER_DATABASE__URL": database_url,
        "MEDIASERVER_HTTP__HOST": "127.0.0.1",
        "MEDIASERVER_HTTP__PORT": "0",
        "MEDIASERVER_RTMP__HOST": "127.0.0.1",
        "MEDIASERVER_RTMP__PORT": "0",
    }


async def run_command_line(
    tmp_path: Path, *arguments: str, stdin: str = "", database_url: str = ""
) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mediaserver", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=command_environment(tmp_path, database_url),
        cwd=tmp_path,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def serving(
    tmp_path: Path, database_url: str = ""
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`mediaserver serve` and what it printed up to "Press Ctrl-C"."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mediaserver", "serve"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=command_environment(tmp_path, database_url),
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(60):
            printed = (await process.stdout.readuntil(b"Ctrl-C")).decode()
        yield process, printed
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(30):
            await process.wait()
            assert b"Traceback" not in await errors
