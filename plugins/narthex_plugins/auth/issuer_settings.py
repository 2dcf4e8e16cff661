"""The tables `[[plugins.auth.issuers]]`: whose tokens are taken beside our own, and what they are worth here."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator

from narthex import Settings
from narthex.config import Duration
from narthex_plugins.auth.algorithms import ALGORITHMS
from narthex_plugins.auth.compact import media_type
from narthex_plugins.auth.discovery import IssuerFault, check_address, metadata_addresses

_PUBLIC: Final = tuple(name for name, row in ALGORITHMS.items() if row.key_type != "oct")
_Word = Annotated[str, Field(min_length=1, max_length=255)]
_Positive = Annotated[Duration, Field(gt=0)]
ClaimPath = _Word | Annotated[tuple[_Word, ...], Field(min_length=1)]
"""Where in a token's claims something stands: "realm_access.roles", or the names one by one where they hold dots."""


class IssuerSettings(Settings):
    """An external issuer: an OpenID provider or OAuth authorization server whose access tokens are taken."""

    issuer: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        examples=["https://login.example"],
        description="Its name: `iss` in its tokens and `issuer` in its metadata, to the letter, last slash and all.",
    )
    audience: Annotated[tuple[_Word, ...], Field(min_length=1)] = Field(
        examples=[["https://shop.example"]],
        description="Who its tokens have to be for: one of these stands in their `aud`. Tokens for others are refused.",
    )
    jwks_uri: str | None = Field(
        default=None,
        examples=["https://login.example/keys"],
        description="Where its keys are. Unless set, its metadata say so: `{issuer}/.well-known/openid-configuration`, "
        "or RFC 8414's address.",
    )
    algorithms: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("RS256", "ES256", "EdDSA"), description="What its tokens may be signed with; no shared secrets."
    )
    types: Annotated[tuple[Annotated[str, Field(max_length=255)], ...], Field(min_length=1)] = Field(
        default=("at+jwt",),
        description='`typ` of its access tokens. Many providers say "JWT", also in ID tokens, which are for others: '
        'then only `audience` tells them apart. "" stands for tokens without `typ`.',
    )
    required: tuple[_Word, ...] = Field(
        default=("sub", "iat", "jti"),
        description="Claims that have to be there, beside `iss`, `sub`, `exp` and the audience. Without `jti` a token "
        "cannot be revoked by itself.",
    )
    says: dict[_Word, Annotated[tuple[_Word, ...], Field(min_length=1)]] = Field(
        default={},
        examples=[{"token_type": ["access"]}],
        description="Claims that have to be one of these texts. For providers that tell access tokens from ID and "
        "refresh tokens by such a claim alone.",
    )
    roles: tuple[ClaimPath, ...] = Field(
        default=(),
        examples=[["realm_access.roles"]],
        description="Claims that hold roles: lists, or texts with spaces between the words.",
    )
    role_map: dict[_Word, tuple[_Word, ...]] | None = Field(
        default=None,
        examples=[{"shop-admins": ["admin"]}],
        description="Its words for roles, and ours. A word that is not in the table is no role. Without a table its "
        "words are taken as they are.",
    )
    permissions: tuple[ClaimPath, ...] = Field(
        default=(), examples=[["scope"]], description="Claims that hold permissions, as in `roles`."
    )
    permission_map: dict[_Word, tuple[_Word, ...]] | None = Field(
        default=None,
        examples=[{"orders.read": ["orders:read"]}],
        description="Its words for permissions, and ours, as in `role_map`. Without a table, a word with `*` is none.",
    )
    everyone: tuple[_Word, ...] = Field(
        default=(), examples=[["user"]], description="Roles that everybody has who brings a good token of it."
    )
    refresh: _Positive = Field(
        default=600.0,
        description="How often its keys are fetched anew in the background: a withdrawn key ends then.",
    )
    keep: _Positive = Field(
        default=3600.0,
        description="How long its keys are used after they were last fetched, where it does not answer; then 503.",
    )
    cooldown: _Positive = Field(
        default=15.0, description="The least time between two fetches that tokens with unknown keys cause."
    )
    fetch_timeout: Annotated[Duration, Field(gt=0, le=60)] = Field(
        default=5.0, description="How long a fetch may take, all of it."
    )
    wait: _Positive = Field(
        default=3.0,
        description="How long a request waits for keys that are being fetched; then 503. Less than the plugin's "
        "`timeout`.",
    )
    ca: str | None = Field(
        default=None,
        examples=["ca.pem"],
        description="File of the certificates (PEM) that sign its own, relative to this file. Unless set, those that "
        "the world trusts, or SSL_CERT_FILE.",
    )
    insecure_http: bool = Field(
        default=False, description="Also fetch by plain http where its address is on loopback: for one's own machine."
    )

    @field_validator("algorithms")
    @classmethod
    def _known_algorithms(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in _PUBLIC:
                raise ValueError(f"{name} is not one of {', '.join(_PUBLIC)}")
        return names

    @field_validator("types")
    @classmethod
    def _media_types(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(media_type(one) for one in types)

    @model_validator(mode="after")
    def _consistent(self) -> "IssuerSettings":
        if self.keep < self.refresh:
            raise ValueError("`keep` is at least `refresh`")
        if self.jwks_uri is None and "?" in self.issuer:
            raise ValueError("an issuer with a query has no metadata (RFC 8414 §2): say its jwks_uri")
        addresses = metadata_addresses(self.issuer) if self.jwks_uri is None else [self.jwks_uri]
        try:
            for address in addresses:
                check_address(address, insecure_http=self.insecure_http)
        except IssuerFault as fault:
            raise ValueError(str(fault)) from None
        return self


def check_issuers(own: str, issuers: Sequence[IssuerSettings]) -> None:
    """See that nobody speaks for us, or for another.

    Raises:
        ValueError: an external issuer has our name, or two have one.
    """
    names = [own, *(one.issuer for one in issuers)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the issuer {name!r} stands twice; each has a name of its own, other than ours")
