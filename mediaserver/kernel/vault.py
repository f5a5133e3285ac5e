"""The vault: seals what must be readable again but not from a stolen database.

Second factors, documents, webhooks' secrets and the like are sealed with AES-256-GCM under a master
key that is kept beside the database in a file of its own, or in the environment. Sealed text is
bound to its place (`context`), so it can't be moved to another row. Used by accounts, channels,
webhooks and the tickets of gates.
"""

from __future__ import annotations

import base64
import hmac
import os
from binascii import Error as Base64Error
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.kernel.ids import random_bytes

KEY_FILE = "master.key"
_VERSION = "v1."
_NONCE_BYTES = 12
_KEY_BYTES = 32
_WRONG_KEY = "What is stored here was sealed with another master key."


class Vault:
    """Seals and opens short texts, and files."""

    def __init__(self, key: bytes) -> None:
        assert len(key) == _KEY_BYTES
        self._cipher = AESGCM(key)
        self._mac_key = hmac.digest(key, b"mediaserver mac", "sha256")

    @classmethod
    def open(cls, storage: Path, configured: str = "") -> Vault:
        """The vault of a site: with the key from the settings, else that of `storage`, where one is
        made at the first start. Raises `Invalid` or `Unavailable`.
        """
        if configured:
            return cls(_decoded(configured, "storage.master_key"))
        path = storage / KEY_FILE
        try:
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return cls(_decoded(path.read_text("ascii"), str(path)))
            key = random_bytes(_KEY_BYTES)
            with os.fdopen(handle, "w") as file:
                file.write(base64.urlsafe_b64encode(key).decode() + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(f"The key {path} can't be read: {error.strerror}") from error
        return cls(key)

    def seal(self, text: str, context: str) -> str:
        """`context` names the place where it is kept, such as "totp/usr_…"."""
        sealed = self.seal_bytes(text.encode(), context)
        return _VERSION + base64.urlsafe_b64encode(sealed).decode()

    def seal_bytes(self, data: bytes, context: str) -> bytes:
        """A whole file; 10 MiB take a few milliseconds, so off the event loop."""
        nonce = random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, context.encode())

    def unseal_bytes(self, sealed: bytes, context: str) -> bytes:
        """Raises `Unavailable` when it was sealed with another key, or elsewhere."""
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, body, context.encode())
        except (InvalidTag, ValueError) as error:
            raise Unavailable(_WRONG_KEY, code="wrong_master_key") from error

    def mac(self, text: str, context: str) -> str:
        """A keyed hash in hex, for short secrets that a plain hash wouldn't hide."""
        return hmac.digest(self._mac_key, f"{context}\0{text}".encode(), "sha256").hex()

    def unseal(self, sealed: str, context: str) -> str:
        """Raises `Unavailable` when it was sealed with another key, or elsewhere."""
        try:
            if not sealed.startswith(_VERSION):
                raise InvalidTag
            raw = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
            return self.unseal_bytes(raw, context).decode()
        except (InvalidTag, Base64Error, ValueError) as error:
            raise Unavailable(_WRONG_KEY, code="wrong_master_key") from error


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text.strip())
    except (Base64Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise Invalid(f"{where} holds no key: 32 bytes in URL-safe base64.", field="master_key")
    return key
