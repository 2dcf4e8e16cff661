"""The public key of a log, as people hand it on: PEM, or 64 hex digits."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from narthex.errors import ConfigError


def read_key(text: bytes) -> str:
    """The key, as 64 hex digits.

    Args:
        text: of a file: PEM, or hex digits.

    Raises:
        ConfigError: it is no Ed25519 public key.
    """
    plain = text.strip().decode("ascii", "replace").lower()
    if len(plain) == 64 and set(plain) <= set("0123456789abcdef"):
        return plain
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("this is no public key", hint="narthex audit key prints it") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError("this is no Ed25519 key", hint="narthex audit key prints it")
    return key.public_bytes_raw().hex()


def pem(key: str) -> str:
    """PEM of 64 hex digits."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
