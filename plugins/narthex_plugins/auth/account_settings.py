"""The tables `[plugins.auth.passwords]` and `[plugins.auth.throttle]`."""

from typing import Final

from pydantic import Field, model_validator

from narthex import Settings
from narthex.config import Duration, Size

LONGEST_PASSWORD: Final = 256
"""Characters: room for any passphrase (ASVS 5.0 6.2.9 asks for 64 at least), and a bound on what is hashed."""


class PasswordSettings(Settings):
    """Argon2id, and what a new password has to be.

    The defaults are the second recommendation of RFC 9106 §4 (64 MiB, three passes, four lanes), which is what
    argon2-cffi takes too and lies above OWASP's least (19 MiB, two passes, one lane): a guess costs the owner of a
    stolen table several times as much, and a login still takes about a tenth of a second.
    """

    memory: Size = Field(
        default=64 * 1024 * 1024,
        ge=8 * 1024,
        le=4 * 1024**3,
        description="What one verification takes of memory. Hashes made with other values are made anew at login.",
    )
    passes: int = Field(default=3, ge=1, le=100, description="How often that memory is gone over.")
    lanes: int = Field(default=4, ge=1, le=64, description="Threads that one verification may use.")
    concurrency: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Verifications at one time in each process; times `memory` is the most they take.",
    )
    queue: int = Field(
        default=64, ge=0, le=100_000, description="Logins that may wait for their turn; further ones get 503."
    )
    temporary: Duration = Field(
        default=86_400.0, gt=0, description="How long a password that `narthex users` has drawn is good for."
    )
    min_length: int = Field(
        default=8,
        ge=8,
        le=64,
        description="Characters a new password has at least, its user's and the service's name not counted.",
    )
    breached: str | None = Field(
        default=None,
        min_length=1,
        examples=["pwned-passwords.txt"],
        description="A file of passwords that were in a breach, which no new one may be: SHA-1 hashes in order, as the "
        "downloader of Pwned Passwords writes them, or passwords, one a line; relative to this file.",
    )

    @model_validator(mode="after")
    def _enough_for_the_lanes(self) -> "PasswordSettings":
        if self.memory < self.lanes * 8 * 1024:
            raise ValueError("Argon2 needs 8 KiB of memory for each lane (RFC 9106 §3.1)")
        return self


class ThrottleSettings(Settings):
    """How guessing is slowed down. See docs/decisions for what each count is for."""

    per_pair: int = Field(
        default=3, ge=1, le=1_000_000, description="Failures of one account from one address before the delays begin."
    )
    per_account: int = Field(
        default=5,
        ge=1,
        le=1_000_000,
        description="The same of one account from all addresses that it is not used from.",
    )
    per_address: int = Field(
        default=10, ge=1, le=1_000_000, description="The same of one address with all accounts not used from there."
    )
    first: Duration = Field(default=1.0, gt=0, description="The first delay; each further failure doubles it.")
    longest: Duration = Field(default=900.0, gt=0, description="The longest delay, and so the longest anybody waits.")
    forget: Duration = Field(default=86_400.0, gt=0, description="When failures are forgotten, after the last of them.")
    trust: Duration = Field(
        default=30 * 86_400.0,
        ge=0,
        description="How long an address counts as one that an account is used from, after it has logged in there.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "ThrottleSettings":
        if not self.first <= self.longest <= self.forget:
            raise ValueError("`first` is at most `longest`, and that at most `forget`")
        return self
