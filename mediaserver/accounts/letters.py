"""What accounts write to people: every mail of this package, in plain words."""

from __future__ import annotations

from mediaserver.kernel import limits
from mediaserver.kernel.mail import Letterhead, Mail

_MINUTES = limits.CODE_MS // 60_000


def register(letterhead: Letterhead, to: str, username: str, code: str) -> Mail:
    return letterhead.mail(
        to,
        f"{code} is your code",
        f"Hello {username},",
        f"your code for {letterhead.site_name} is\n\n    {spaced(code)}",
        f"It works once, for {_MINUTES} minutes.",
        "If you didn't register here, ignore this mail: nothing happens without the code.",
    )


def already_registered(letterhead: Letterhead, to: str) -> Mail:
    return letterhead.mail(
        to,
        "You already have an account",
        f"somebody, perhaps you, wanted to register at {letterhead.site_name} with this address. "
        "It already has an account here, so no other was made.",
        f"Log in: {letterhead.url}/login\nForgot the password? {letterhead.url}/password",
        "If it wasn't you, there is nothing to do.",
    )


def address_taken(letterhead: Letterhead, to: str) -> Mail:
    return letterhead.mail(
        to,
        "This address already has an account",
        "somebody, perhaps you, wanted to use this address for another account at "
        f"{letterhead.site_name}. It already has an account here, so nothing was changed.",
        f"Log in to it: {letterhead.url}/login\nForgot the password? {letterhead.url}/password",
        "If it wasn't you, there is nothing to do.",
    )


def barred(letterhead: Letterhead, to: str) -> Mail:
    return letterhead.mail(
        to,
        "No account with this address",
        f"somebody, perhaps you, wanted to use this address at {letterhead.site_name}. The account "
        "that it had here was banned and then deleted, so it can't be used until the ban is over.",
        "If it wasn't you, there is nothing to do.",
    )


def reset_password(letterhead: Letterhead, to: str, username: str, code: str) -> Mail:
    return letterhead.mail(
        to,
        f"{code} is your code for a new password",
        f"Hello {username},",
        f"with this code you can choose a new password:\n\n    {spaced(code)}",
        f"It works once, for {_MINUTES} minutes, on the page that asked for it.",
        "If you didn't ask for it, ignore this mail: your password stays as it is. Never tell "
        "anybody the code; we don't ask for it.",
    )


def password_code(letterhead: Letterhead, to: str, username: str, handle: str, code: str) -> Mail:
    """An admin has it sent: no browser holds the handle, so a link brings it."""
    return letterhead.mail(
        to,
        f"{code} is your code for a new password",
        f"Hello {username},",
        f"an admin of {letterhead.site_name} sends you this code for a new password:"
        f"\n\n    {spaced(code)}",
        f"Enter it here: {letterhead.url}/password/new?handle={handle}",
        f"It works once, for {_MINUTES} minutes. If you didn't ask for help, ignore this mail: "
        "your password stays as it is.",
    )


def role_changed(letterhead: Letterhead, to: str, username: str, role: str) -> Mail:
    return letterhead.mail(
        to,
        "Your account has another role",
        f"Hello {username},",
        f"an admin changed the role of your account: it is {role} now. Log in again to go on.",
    )


def logged_out(letterhead: Letterhead, to: str, username: str) -> Mail:
    return letterhead.mail(
        to,
        "You were logged out everywhere",
        f"Hello {username},",
        f"an admin of {letterhead.site_name} logged your account out on every device and revoked "
        "its API tokens.",
        f"Log in again: {letterhead.url}/login",
    )


def password_changed(letterhead: Letterhead, to: str, username: str) -> Mail:
    return letterhead.mail(
        to,
        "Your password was changed",
        f"Hello {username},",
        "the password of your account was changed just now, and all other devices were logged out.",
        f"If that wasn't you, choose a new one at once: {letterhead.url}/password",
    )


def change_email(letterhead: Letterhead, to: str, username: str, code: str) -> Mail:
    return letterhead.mail(
        to,
        f"{code} confirms your new address",
        f"Hello {username},",
        f"to use this address for your account, enter\n\n    {spaced(code)}",
        f"It works once, for {_MINUTES} minutes.",
    )


def email_changed(letterhead: Letterhead, to: str, username: str, new: str) -> Mail:
    return letterhead.mail(
        to,
        "The address of your account was changed",
        f"Hello {username},",
        f"mail of your account now goes to {_masked(new)}.",
        "If that wasn't you, write to the people who run the site: they can give it back to you.",
    )


def second_factor_changed(letterhead: Letterhead, to: str, username: str, is_on: bool) -> Mail:
    return letterhead.mail(
        to,
        f"Two-step log-in was turned {'on' if is_on else 'off'}",
        f"Hello {username},",
        "from now on, logging in asks for a code of your authenticator app too."
        if is_on
        else "from now on, your password alone is enough to log in.",
        f"If that wasn't you, choose a new password at once: {letterhead.url}/password",
    )


def recovery_code_used(letterhead: Letterhead, to: str, username: str, left: int) -> Mail:
    return letterhead.mail(
        to,
        "A recovery code was used",
        f"Hello {username},",
        f"somebody logged in to your account with a recovery code; {left} are left.",
        f"If that wasn't you, choose a new password at once: {letterhead.url}/password",
    )


def account_deleted(letterhead: Letterhead, to: str, username: str) -> Mail:
    return letterhead.mail(
        to,
        "Your account was deleted",
        f"Goodbye {username},",
        "your account and your channels are gone. The last files of what you uploaded are deleted "
        "within two hours.",
    )


def spaced(code: str) -> str:
    """12345678 → 1234 5678: easier to read over."""
    return f"{code[:4]} {code[4:]}"


def _masked(email: str) -> str:
    """a…@example.org: enough to recognise it, too little to learn it."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}…@{domain}"
