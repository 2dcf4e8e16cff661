"""A set of keys that verify, and which of them a token means.

A token names its key by `kid`. Nothing is tried in turn: where the name, or its absence, leaves more than one key, the
token is refused, because a set that answers to one name with two keys has been tampered with or was put together badly.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Self

from narthex_plugins.auth.jwk import PUBLIC_TYPES, VerifyingKey, each_algorithm, members_of
from narthex_plugins.auth.refusals import KeyCode, KeyRefused, TokenCode, TokenRefused
from narthex_plugins.auth.strict import is_list, is_object

_SET_SIZE = 256
# A key skipped for one of these is simply meant for others; for any other reason it still lays claim to its kid.
_FOR_OTHERS = frozenset({KeyCode.TYPE, KeyCode.USE, KeyCode.ALGORITHM})


class KeySet:
    """Keys by the name and the algorithm a token may ask for. Never changes; make another one instead.

    Attributes:
        keys: all usable keys, in the order they were given.
        skipped: why each of the others is not among them.
    """

    __slots__ = ("_by_algorithm", "_by_name", "_contested", "keys", "skipped")

    def __init__(self, keys: Iterable[VerifyingKey], skipped: Iterable[KeyRefused] = ()) -> None:
        self.keys = tuple(keys)
        self.skipped = tuple(skipped)
        self._by_name: dict[tuple[str | None, str], tuple[VerifyingKey, ...]] = {}
        self._by_algorithm: dict[str, tuple[VerifyingKey, ...]] = {}
        for key in self.keys:
            name = (key.kid, key.algorithm)
            if key not in self._by_name.get(name, ()):  # the same key twice is one key
                self._by_name[name] = (*self._by_name.get(name, ()), key)
                self._by_algorithm[key.algorithm] = (*self._by_algorithm.get(key.algorithm, ()), key)
        self._contested = frozenset(refused.kid for refused in self.skipped if refused.code not in _FOR_OTHERS)

    def __len__(self) -> int:
        return len(self.keys)

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerifyingKey, ...]:
        """Return the keys that a token with this `kid` and `alg` may mean.

        With a `kid`: the keys of that name; where there is none, the keys without a name. Without one: all keys of the
        algorithm.
        """
        if kid is None:
            return self._by_algorithm.get(algorithm, ())
        return self._by_name.get((kid, algorithm)) or self._by_name.get((None, algorithm), ())

    def find(self, kid: str | None, algorithm: str) -> VerifyingKey:
        """Return the one key that a token with this `kid` and `alg` means.

        Raises:
            TokenRefused: `token_key_unknown` where there is none, `token_key_ambiguous` where there are several.
        """
        found = self.candidates(kid, algorithm)
        if not found:
            raise TokenRefused(TokenCode.KEY_UNKNOWN, f"no key for kid {kid!r} and {algorithm}{self._skips()}")
        first, *others = found
        if others or (kid is not None and kid in self._contested):
            raise TokenRefused(TokenCode.KEY_AMBIGUOUS, f"several keys for kid {kid!r} and {algorithm}")
        return first

    def _skips(self) -> str:
        return f"; skipped: {'; '.join(map(str, self.skipped))}" if self.skipped else ""

    @classmethod
    def of(cls, *sets: Self) -> Self:
        """Return one set with the keys of several."""
        return cls((key for one in sets for key in one.keys), (refused for one in sets for refused in one.skipped))


def load_jwks(jwks: Mapping[str, object] | str | bytes, algorithms: Collection[str]) -> KeySet:
    """Load a JWK Set (RFC 7517 §5). Keys that cannot be used are skipped and told in `KeySet.skipped`.

    Args:
        jwks: the members of the set, or its JSON text, parsed strictly.
        algorithms: the names the caller permits.

    Raises:
        KeyRefused: not a set of keys, more than 256 of them; a key with its private half (a published private key has
            been lost, and the set with it); shared secrets beside public keys (RFC 8725 §2.1: confusing the two is
            the oldest attack there is).
    """
    members = members_of(jwks).get("keys")
    if not is_list(members) or len(members) > _SET_SIZE:
        raise KeyRefused(KeyCode.SET_MALFORMED, f"keys has to be a list of at most {_SET_SIZE} keys")
    _check_unmixed(members)
    keys: list[VerifyingKey] = []
    skipped: list[KeyRefused] = []
    for jwk in members:
        try:
            keys += each_algorithm(_object(jwk), algorithms)
        except KeyRefused as refused:
            if refused.code == KeyCode.PRIVATE:
                raise
            skipped.append(refused)
    return KeySet(keys, skipped)


def _object(jwk: object) -> Mapping[str, object]:
    if not is_object(jwk):
        raise KeyRefused(KeyCode.MALFORMED, "not an object")
    return jwk


def _check_unmixed(members: list[object]) -> None:
    types = [jwk.get("kty") for jwk in members if is_object(jwk)]
    if "oct" in types and any(kty in types for kty in PUBLIC_TYPES):
        raise KeyRefused(KeyCode.SET_MIXED, "shared secrets beside public keys")
