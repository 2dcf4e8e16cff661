"""The ring of our own signing keys, and when each of them does what. Plain values in, plain values out.

A key's life is told by two times of its own and one of its successor's, so that no process has to tell another that a
key has moved on; a clock is enough:

    created ------> signs_at ------------> successor.signs_at ------------> + lifetime + margin
      | published,     | signs new tokens      | signs no more, verifies        | gone
      | verifies       |                       | what it signed                 |

`lifetime` is the longest life of a token that the key may have signed, so that a key is gone only when every token of
it has expired. A key is published before it signs (`overlap`), so that whoever keeps a copy of the JWKS has it by then.
"""

from dataclasses import dataclass

from narthex_plugins.auth.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Key:
    """One of our signing keys and its times.

    Attributes:
        signer: the key itself; its `kid` is its thumbprint, so that a name is a key and a key has one name.
        created, signs_at: seconds since the epoch.
        lifetime: the longest life of a token it may have signed, seconds.
    """

    signer: SigningKey
    created: float
    signs_at: float
    lifetime: float

    @property
    def kid(self) -> str:
        """Its name."""
        return self.signer.kid


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of one instance, the oldest first.

    Args:
        keys: in any order.
        margin: seconds that clocks of two hosts may differ by, leeway included; a retired key is kept so much longer.
    """

    keys: tuple[Key, ...] = ()
    margin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(sorted(self.keys, key=lambda key: (key.signs_at, key.kid))))

    def signing(self, now: float) -> Key | None:
        """The key that signs now: the last one whose time has come, or None.

        Where the time of none has come and the first is of the future itself, the clock was set back, or that of the
        host that made it is ahead. It verifies since it is published, so it signs: else nobody could log in.
        """
        ready = [key for key in self.keys if key.signs_at <= now]
        return ready[-1] if ready else next((key for key in self.keys if key.created > now), None)

    def retires(self, key: Key) -> float | None:
        """When `key` signs no more, or None where it has no successor."""
        later = self.keys[self.keys.index(key) + 1 :]
        return later[0].signs_at if later else None

    def gone(self, key: Key) -> float | None:
        """When the last token that `key` may have signed has expired, or None where it has no successor."""
        retires = self.retires(key)
        return None if retires is None else retires + key.lifetime + self.margin

    def kept(self, now: float) -> tuple[Key, ...]:
        """The keys that verify, and are published: all but those that are gone."""
        return tuple(key for key in self.keys if (gone := self.gone(key)) is None or now < gone)

    def due(self, now: float, rotate_every: float, overlap: float) -> bool:
        """Whether it is time for a new key: the newest will have signed for `rotate_every` when its successor may."""
        return not self.keys or (rotate_every > 0 and now >= self.keys[-1].signs_at + rotate_every - overlap)
