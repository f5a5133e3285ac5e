"""Work of minutes in a thread, which somebody may give up: copying, checking and unpacking.

What works long takes a `Stop` and calls it between its steps. The command line's backup and restore
run through `run`; the running site and the doctor have a `Stop` of their own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from mediaserver.kernel.errors import Unavailable

T = TypeVar("T")

Stop = Callable[[], None]
"""Called now and then during long work; raises when the work isn't wanted any more."""


class GivenUp(Unavailable):
    """The work isn't wanted any more; nothing of it stays."""


async def run(work: Callable[[Stop], T]) -> T:
    """Do `work` in a thread. Cancelling it stops the work and waits until it has cleared up; work
    that was done by then counts, so that nobody takes it for undone.
    """
    is_wanted = threading.Event()
    is_wanted.set()

    def stop() -> None:
        if not is_wanted.is_set():
            raise GivenUp("It was given up.")

    done = asyncio.get_running_loop().run_in_executor(None, work, stop)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        is_wanted.clear()
        with suppress(GivenUp):
            return await done
        raise
