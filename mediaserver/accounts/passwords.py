"""Password rules and Argon2id hashes, computed off the event loop behind a bounded queue.

Parameters are OWASP's minimum (19 MiB, 2 passes, 1 lane): 16 ms a hash. The library's default takes
six times as long and would let a handful of log-ins a second stop the whole site.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, Unavailable

T = TypeVar("T")

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

_COMMON_WORDS = """
00000000 000000000 0123456789 01234567 10203040 1020304050 11111111 111111111 11223344 1122334455
12121212 12341234 123123123 1234512345 12345678 123456789 1234567890 12345678910 123456789a
123456abc 1234abcd 1234qwer 123654789 123qweasd 12344321 147258369 159357456 1q2w3e4r 1q2w3e4r5t
1qaz2wsx 1qaz2wsx3edc 1qazxsw2 22222222 31415926 55555555 66666666 77777777 87654321 88888888
987654321 9876543210 99999999 a1234567 a12345678 a123456789 aa123456 aa12345678 aaaaaaaa abc12345
abc123456 abcd1234 abcdefgh abcdefghi access14 admin123 admin1234 admin12345 administrator alexander
asdf1234 asdfasdf asdfghjk asdfghjkl baseball basketball butterfly changeme changeme1 charlotte
chocolate christian christopher computer corvette danielle dragon123 elizabeth facebook fireball
firebird football football1 garfield giovanni google123 hello123 helloworld hellohello iloveyou
iloveyou1 iloveyou2 internet jennifer jonathan justin123 kristina letmein1 letmein123 liverpool
livestream lovelove manchester marlboro master123 maverick mediaserver mercedes metallica michelle
mickey123 minecraft mustang1 nicholas nintendo pa$$word passw0rd passw0rd1 password password!
password1 password12 password123 password1234 password2 password3 passwordpassword patricia pokemon1
pokemon123 princess princess1 qazwsxedc q1w2e3r4 q1w2e3r4t5 qwer1234 qwerasdf qwert123 qwerty12
qwerty123 qwerty1234 qwerty12345 qwertyui qwertyuiop rush2112 samantha samsung1 scorpion secret123
starwars starwars1 streamer streaming summer2024 summer2025 sunshine sunshine1 superman superman1
superstar test1234 testtest testing123 thomas123 trustno1 victoria welcome1 welcome123 whatever
william1 windows1 winter2024 winter2025 zaq12wsx zxcvbnm1 zxcvbnm123 zxcvbnmm
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def normalised(password: str) -> str:
    """The same characters typed on two keyboards are the same password."""
    return unicodedata.normalize("NFC", password)


def check_rules(password: str, *, personal: tuple[str, ...] = ()) -> None:
    """Raise `Invalid` for a password that a list of guesses would open.

    `personal` are words an attacker knows, such as the user name.
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
    if folded in {word.casefold() for word in personal if word}:
        raise Invalid("Use a password other than your own name or address.", field="password")


class Passwords:
    """Hashes and checks. Close it to end its threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, hash_len=32, salt_len=16
        )

        self._executor = ThreadPoolExecutor(limits.PASSWORD_THREADS, "password")
        self._waiting = 0
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The encoded hash to store. Raises `Unavailable` when the queue is full."""
        return await self._run(self._hasher.hash, normalised(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` belongs to `stored`.

        Without a stored hash the same work is done against a dummy, so that the time of the answer
        doesn't tell which users exist.
        """
        known = stored is not None
        if stored is None:
            if self._dummy is None:
                self._dummy = await self.hash("no account has this password")
            stored = self._dummy
        return await self._run(self._verify, stored, normalised(password)) and known

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

    async def _run(self, fn: Callable[..., T], *args: str) -> T:
        if self._waiting >= limits.PASSWORD_WAITING_MAX:
            raise Unavailable("Too many people are signing in right now. Try again in a moment.")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, fn, *args)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)  # a caller that gives up doesn't free the thread

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, also when the caller has gone
