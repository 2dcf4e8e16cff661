"""What the `[plugins.auth]` table holds."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from narthex import Settings
from narthex.config import Duration, PathPattern, Size
from narthex_plugins.auth.account_settings import PasswordSettings, ThrottleSettings
from narthex_plugins.auth.issuer_settings import IssuerSettings, check_issuers

_Path = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*[^*{}?#/]$")]
_Positive = Annotated[Duration, Field(gt=0)]


class AuthSettings(Settings):
    """Who asks: what tokens say and how long they live, sessions, keys and cookies."""

    issuer: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        examples=["https://shop.example"],
        description="Who issues the tokens: their `iss`, compared literally. The address that clients know is usual.",
    )
    audience: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        examples=["shop"],
        description="Who the tokens are for: their `aud`. Unless set, the issuer.",
    )
    algorithm: Literal["RS256", "ES256", "EdDSA"] = Field(
        default="RS256",
        description="What new keys sign with. After a change, the next start makes a key for it, with overlap.",
    )
    access_lifetime: _Positive = Field(
        default=900.0,
        description="How long an access token lives; only the plugin revocation ends it sooner.",
    )
    session_lifetime: _Positive = Field(
        default=86_400.0,
        description="How long a session lives at most, however busy it is: its refresh tokens and its cookie end then.",
    )
    session_idle: Duration = Field(
        default=0.0,
        description="A session that nobody used for so long is over; 0 for never, else five minutes or more, because "
        "use is noted once a minute.",
    )
    session_history: Duration = Field(
        default=2_592_000.0, description="How long sessions that are over stay in the list of a subject's sessions."
    )
    refresh_grace: Duration = Field(
        default=0.0,
        description="How long after its use the last refresh token is answered once more, with the same successor, "
        "for clients that lose answers. 0: a second use always ends the session.",
    )
    leeway: Annotated[Duration, Field(le=300)] = Field(
        default=10.0, description="How far clocks may differ where `exp`, `nbf` and `iat` are compared."
    )
    max_token_size: Annotated[Size, Field(ge=512, le=65_536)] = Field(
        default=8192, description="Tokens above this size are refused before they are decoded."
    )
    verified: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=10_000,
        description="How many verified tokens and cookies are remembered and not verified again; about 2 KB each.",
    )
    rotate_every: Duration = Field(
        default=2_592_000.0, description="How long a key signs before a new one takes its place; 0 for never by itself."
    )
    overlap: _Positive = Field(
        default=600.0,
        description="How long a new key is published before it signs. Others are told to keep a copy of the JWKS for "
        "half of it.",
    )
    path: _Path = Field(default="/auth", description="Path of the endpoints, below `prefix`.")
    jwks: _Path = Field(
        default="/.well-known/jwks.json", description="Path of the public keys, as written, outside `prefix`."
    )
    cookie: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        default="narthex",
        description="Name of the session cookie, behind `__Host-`; what insecure_cookies adds ends in `-insecure`.",
    )
    insecure_cookies: bool = Field(
        default=False,
        description="Also give the cookie to http clients on loopback, under another name: for one's own machine.",
    )
    origins: tuple[Annotated[str, Field(pattern=r"^https?://[^/\s]+$")], ...] = Field(
        default=(),
        examples=[["https://www.shop.example"]],
        description="Origins beside the site's own from which a request with the cookie may change something.",
    )
    introspect: Annotated[str, Field(pattern=r"^[\w.-]+(:[\w.-]+)+$")] = Field(
        default="tokens:introspect", description="Permission that a caller of `introspect` needs."
    )
    passwords: PasswordSettings = Field(
        default_factory=PasswordSettings, description="How passwords are hashed, and what a new one has to be."
    )
    throttle: ThrottleSettings = Field(default_factory=ThrottleSettings, description="How guessing is slowed down.")
    issuers: tuple[IssuerSettings, ...] = Field(
        default=(), description="External issuers, whose access tokens are taken beside our own."
    )

    @model_validator(mode="after")
    def _speak_for_themselves(self) -> "AuthSettings":
        check_issuers(self.issuer, self.issuers)
        return self

    @model_validator(mode="after")
    def _in_order(self) -> "AuthSettings":
        if self.access_lifetime > self.session_lifetime:
            raise ValueError("`access_lifetime` is at most `session_lifetime`: no token outlives its session")
        if 0 < self.session_idle < 300:
            raise ValueError("`session_idle` is 0 or at least five minutes: use is noted once a minute")
        return self
