"""Sealing what must not rest in clear: AES-256-GCM under a key derived from `[narthex] secret_key`.

    seal  ::=  version (1 byte, 0x01) | key id (8) | nonce (12) | ciphertext and tag

The sealing key is HKDF-SHA256 (RFC 5869) of the secret key; the key id is derived beside it, says nothing of it, and
tells "sealed under another secret key" from "damaged". What a seal is for stands in its associated data, so that one
row's seal put into another row does not open. Nonces are random: a deployment seals some keys a year, far from the
2^32 under one key that NIST SP 800-38D §8.3 allows.
"""

import os
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from narthex.config import NarthexSettings, Secret
from narthex.errors import ConfigError, NarthexError

_VERSION: Final = b"\x01"
_ID: Final = 8
_NONCE: Final = 12
_HEAD: Final = len(_VERSION) + _ID


class SealBroken(NarthexError):
    """A seal does not open: it was made under another secret key, for another purpose, or is damaged.

    Attributes:
        foreign: whether it was made under another secret key.
    """

    code = "seal_broken"

    def __init__(self, message: str, *, foreign: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.foreign = foreign


class Sealer:
    """Seals and opens under one secret key.

    Args:
        secret: at least 32 random characters; `[narthex] secret_key`.

    Attributes:
        key_id: 16 hex digits that name the sealing key.
    """

    __slots__ = ("_aead", "_id", "key_id")

    def __init__(self, secret: Secret) -> None:
        material = secret.reveal().encode("utf-8", "surrogatepass")
        self._aead = AESGCM(_derive(material, b"narthex sealing key v1", 32))
        self._id = _derive(material, b"narthex sealing key id v1", _ID)
        self.key_id = self._id.hex()

    def __repr__(self) -> str:
        return f"<Sealer {self.key_id}>"

    def seal(self, plain: bytes, purpose: bytes) -> bytes:
        """Encrypt `plain`, bound to `purpose`. Adds 37 bytes."""
        nonce = os.urandom(_NONCE)
        head = _VERSION + self._id
        return head + nonce + self._aead.encrypt(nonce, plain, head + purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """Decrypt what `seal` made for the same purpose.

        Raises:
            SealBroken: it does not open.
        """
        head, nonce, rest = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        if head[:1] != _VERSION or len(nonce) != _NONCE:
            raise SealBroken("this was not sealed by a release known to this one", foreign=False)
        if head[1:] != self._id:
            raise SealBroken(
                f"sealed under another secret key (its id is {head[1:].hex()}, that of yours {self.key_id})",
                foreign=True,
                hint="give [narthex] secret_key its former value, or reseal: `narthex keys reseal`",
            )
        try:
            return self._aead.decrypt(nonce, rest, head + purpose)
        except InvalidTag:
            raise SealBroken("the seal is damaged, or was made for something else", foreign=False) from None


def sealer_of(settings: NarthexSettings, plugin: str, what: str) -> Sealer:
    """The sealer for what a plugin keeps in the store.

    Args:
        settings: the `[narthex]` table.
        plugin: its name, for the message.
        what: it seals, for the message: "its signing keys".

    Raises:
        ConfigError: there is no secret key, and the store outlives the process.
    """
    secret = settings.secret_key
    if secret is None:
        if settings.store.reveal() != "memory":
            raise ConfigError(
                f"{plugin} needs [narthex] secret_key, which encrypts {what} in the store",
                hint='write secret_key = { env = "SHOP_SECRET_KEY" }, or set NARTHEX_SECRET_KEY; '
                "openssl rand -hex 32 makes one",
            )
        secret = Secret(secrets.token_hex(32))  # nothing of it rests anywhere
    return Sealer(secret)


def _derive(material: bytes, info: bytes, length: int) -> bytes:
    # No salt: the same secret key must give the same sealing key in every process (RFC 5869 §3.1).
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(material)
