"""The errors that the world can cause. Edges translate them; nobody else knows status codes.

    MediaserverError
     ├─ NotFound            the named thing is not there, or the asker may not know that it is
     ├─ Unauthorized        the asker has not said who they are
     ├─ Forbidden           the asker is known and may not
     ├─ Invalid             a value is wrong; `field` names it
     ├─ Conflict            it contradicts what is already so
     ├─ RateLimited         too often; `retry_after_s` says when again
     ├─ TooLarge            over a limit of kernel/limits.py
     └─ Unavailable         not now: overloaded, starting, or a part of the site is down

What only a bug can cause is an `assert`, never one of these.
"""

from __future__ import annotations


class MediaserverError(Exception):
    """Base of all expected errors: `code` is stable, the message is for people."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class NotFound(MediaserverError):
    code = "not_found"


class Unauthorized(MediaserverError):
    code = "unauthorized"


class Forbidden(MediaserverError):
    code = "forbidden"


class Invalid(MediaserverError):
    code = "invalid"

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field


class Conflict(MediaserverError):
    code = "conflict"

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field


class RateLimited(MediaserverError):
    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLarge(MediaserverError):
    code = "too_large"


class Unavailable(MediaserverError):
    code = "unavailable"
