"""Password rules and Argon2id hashes, computed off the event loop behind a bounded queue.

Parameters are OWASP's minimum (19 MiB, 2 passes, 1 lane): 16 ms a hash. The library's default takes
six times as long and would let a handful of log-ins a second stop the whole site.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, Unavailable

T = TypeVar("T")

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

_COMMON_FILE = Path(__file__).with_name("common_passwords.txt")
_COMMON = frozenset(
    line for line in _COMMON_FILE.read_text("utf-8").splitlines() if not line.startswith("#")
)
"""Some eleven thousand, in lower case, that were counted in leaked collections."""

_SITE_WORDS = ("mediaserver", "livestream", "streaming", "streamer")
"""What a guesser tries on a site like this one; its own name comes in addition."""


def normalised(password: str) -> str:
    """The same characters typed on two keyboards are the same password."""
    return unicodedata.normalize("NFC", password)


def check_rules(password: str, *, personal: tuple[str, ...] = ()) -> None:
    """Raise `Invalid` for a password that a list of guesses would open.

    `personal` are words an attacker knows, such as the user name or the site's. They are refused
    also with digits or signs around them, such as "alice2024!".
    """
    password = normalised(password)
    if len(password) < limits.PASSWORD_CHARS_MIN:
        raise Invalid(
            f"Use at least {limits.PASSWORD_CHARS_MIN} characters; 12 or more are better.",
            field="password",
        )
    if len(password) > limits.PASSWORD_CHARS_MAX:
        raise Invalid(
            f"Use at most {limits.PASSWORD_CHARS_MAX} characters.",
            field="password",
        )
    folded = password.casefold()
    if folded in _COMMON or len(set(folded)) < 3:
        raise Invalid("That password is one of the first to be guessed.", field="password")
    known = {_bare(word.casefold()) for word in (*personal, *_SITE_WORDS)}
    bare = _bare(folded)
    if len(bare) >= limits.KNOWN_WORD_CHARS_MIN and bare in known:
        raise Invalid(
            "Use a password other than your name, your address or this site's name.",
            field="password",
        )


def _bare(word: str) -> str:
    """`word` without spaces, and without the digits and signs around it."""
    letters = [number for number, char in enumerate(word) if char.isalpha()]
    return "".join(word[letters[0] : letters[-1] + 1].split()) if letters else ""


class Passwords:
    """Hashes and checks. Close it to end its threads.

    `network` says for whom (kernel/addresses.py `network_of`), None for the operator: each may have
    a part of the queue only.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, hash_len=32, salt_len=16
        )

        self._executor = ThreadPoolExecutor(limits.PASSWORD_THREADS, "password")
        self._waiting: Counter[str | None] = Counter()
        self._dummy: str | None = None

    async def hash(self, password: str, *, network: str | None = None) -> str:
        """The encoded hash to store. Raises `Unavailable` when the queue is full."""
        return await self._run(network, self._hasher.hash, normalised(password))

    async def verify(
        self, stored: str | None, password: str, *, network: str | None = None
    ) -> bool:
        """Whether `password` belongs to `stored`. Raises `Unavailable` when the queue is full.

        Without a stored hash the same work is done against a dummy, so that the time of the answer
        doesn't tell which users exist. What is longer than any password costs no work.
        """
        password = normalised(password)
        if len(password) > limits.PASSWORD_CHARS_MAX:
            return False
        known = stored is not None
        if stored is None:
            if self._dummy is None:
                self._dummy = await self.hash("no account has this password", network=network)
            stored = self._dummy
        return await self._run(network, self._verify, stored, password) and known

    def is_outdated(self, stored: str) -> bool:
        """Made with other parameters than today's: hash again at the next log-in."""
        return self._hasher.check_needs_rehash(stored)

    async def aclose(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, network: str | None, fn: Callable[..., T], *args: str) -> T:
        if (
            self._waiting.total() >= limits.PASSWORD_WAITING_MAX
            or self._waiting[network] >= limits.PASSWORD_WAITING_PER_NETWORK_MAX
        ):
            raise Unavailable("Too many people are signing in right now. Try again in a moment.")
        self._waiting[network] += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, fn, *args)
        future.add_done_callback(partial(self._done, network))
        return await asyncio.shield(future)  # a caller that gives up doesn't free the thread

    def _done(self, network: str | None, future: asyncio.Future[Any]) -> None:
        self._waiting[network] -= 1
        if not self._waiting[network]:
            del self._waiting[network]
        if not future.cancelled():
            future.exception()  # seen, also when the caller has gone
