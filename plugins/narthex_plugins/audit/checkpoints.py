r"""Checkpoints: signed statements of how long the log is and what is in it.

    document  = {"first", "key", "log", "number", "previous", "root", "signature", "size", "time", "version"}
    signature = Ed25519 over "narthex audit checkpoint v1\0" || canonical JSON of the document without `signature`
    root      = RFC 6962 Merkle tree hash over the links of all chains, by position, from the first there ever was
    previous  = SHA-256 of the canonical JSON of the checkpoint before, signature and all; 64 zeros for the first

Every link holds its chain's head, the number of the record in its chain and its position, so the one root binds all
chains and all sequence numbers. Whoever has a checkpoint from outside the store knows what the log was then: what is
covered by it cannot be changed, taken away or cut off unseen. `first` is the position of the oldest record that is
still kept; only the holder of the key can let records go.
"""

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from narthex.errors import NarthexError
from narthex_plugins.audit.record import RecordError, canonical

DOMAIN: Final = b"narthex audit checkpoint v1\0"
VERSION: Final = 1
BEFORE_ALL: Final = "0" * 64
"""`previous` of the first checkpoint."""
LONGEST: Final = 4096
"""Bytes of a document at most; ours have about 600."""
_TEXTS: Final = {"key": 64, "log": 32, "previous": 64, "root": 64, "signature": 128}
_NUMBERS: Final = ("first", "number", "size")


class CheckpointError(NarthexError):
    """What was given is not a checkpoint, or not of this key."""

    code = "audit_checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A statement about the log, with its signature.

    Attributes:
        log: 32 hex digits: which log.
        number: from 1, without gaps.
        size: records that there have ever been.
        root: of the Merkle tree over them, 64 hex digits.
        first: position of the oldest record that is kept.
        time: RFC 3339, when it was made.
        previous: SHA-256 of the checkpoint before, in hex.
        key: Ed25519 public key, in hex.
        signature: by that key, in hex.
    """

    log: str
    number: int
    size: int
    root: str
    first: int
    time: str
    previous: str
    key: str
    signature: str = ""

    def document(self) -> bytes:
        """The canonical JSON that is kept and published, one line."""
        return canonical({**self._body(), "signature": self.signature})

    def digest(self) -> str:
        """What the next checkpoint says as `previous`."""
        return sha256(self.document()).hexdigest()

    def signed(self, key: Ed25519PrivateKey) -> "Checkpoint":
        """The same, with the signature of this key. Cost: some 50 µs."""
        public = key.public_key().public_bytes_raw().hex()
        unsigned = replace(self, key=public)
        return replace(unsigned, signature=key.sign(DOMAIN + canonical(unsigned._body())).hex())  # noqa: SLF001  its own

    def is_signed(self) -> bool:
        """Whether the signature is that of the key which it names: ask too whose that is. Cost: some 120 µs."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            key.verify(bytes.fromhex(self.signature), DOMAIN + canonical(self._body()))
        except (ValueError, InvalidSignature):
            return False
        return True

    def _body(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "key": self.key,
            "log": self.log,
            "number": self.number,
            "previous": self.previous,
            "root": self.root,
            "size": self.size,
            "time": self.time,
            "version": VERSION,
        }


def parse(document: str | bytes) -> Checkpoint:
    """Read a document, as it was published. The signature is not looked at.

    Raises:
        CheckpointError: it is not one; the message says why.
    """
    if len(document) > LONGEST:
        raise CheckpointError(f"a checkpoint has {LONGEST} bytes at most")
    try:
        found: Any = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError("not a JSON object")
    fields = cast("dict[str, Any]", found)
    expected = {*_TEXTS, *_NUMBERS, "time", "version"}
    if fields.keys() != expected:
        odd = ", ".join(sorted(fields.keys() ^ expected))
        raise CheckpointError(f"it has not the fields of a checkpoint: {odd[:200]}")
    if fields.pop("version") != VERSION:
        raise CheckpointError(f"its version is not {VERSION}")
    _check(fields)
    try:
        made = Checkpoint(**fields)
        made.document()
    except RecordError as error:
        raise CheckpointError(str(error)) from None
    return made


def _check(fields: dict[str, Any]) -> None:
    for name, length in _TEXTS.items():
        text = fields[name]
        if not isinstance(text, str) or len(text) != length or not set(text) <= set("0123456789abcdef"):
            raise CheckpointError(f"its {name} is not {length} hex digits")
    for name in _NUMBERS:
        if type(fields[name]) is not int or not 0 <= fields[name] < 2**53:
            raise CheckpointError(f"its {name} is not a number")
    if not isinstance(fields["time"], str) or fields["first"] > fields["size"]:
        raise CheckpointError("it says what cannot be")
