"""`python -m tests.functional.serve JSON`: one `Server` in a process of its own, for the tests.

A child process keeps the server's memory and event loop apart from the test's. The argument is
`{"config": {section: {key: value}}, "limits": {NAME: value}}`; limits are changed before anything
else is imported. Prints one JSON line with the ports once it listens, logs JSON lines to standard
error, and ends at SIGTERM or when standard input closes, so that it never outlives its test.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys


def set_limits(values: dict[str, float]) -> None:
    from mediaserver.kernel import limits

    for name, value in values.items():
        assert hasattr(limits, name), f"kernel/limits.py has no {name}"
        setattr(limits, name, value)


async def serve(config_values: dict[str, object]) -> None:
    from mediaserver.kernel.config import Config
    from mediaserver.server import Server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(0, lambda: None if os.read(0, 64) else stop.set())
    async with Server(Config.model_validate(config_values)) as server:
        ports = {
            "http_port": server.http_port,
            "rtmp_port": server.rtmp_port,
            "setup_url": server.setup_url,
        }
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()
        await stop.wait()
    loop.remove_reader(0)


def main() -> None:
    arguments = json.loads(sys.argv[1])
    set_limits(arguments.get("limits", {}))

    from mediaserver.kernel.log import set_up_logging

    set_up_logging("info", "json")
    asyncio.run(serve(arguments["config"]))


if __name__ == "__main__":
    main()
