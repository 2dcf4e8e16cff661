"""External issuers: whose tokens are taken beside our own, and who that makes the caller.

Which issuer a token is for is read from its unverified `iss`, and only to choose: the chosen issuer's keys verify it,
and then `iss` has to be that issuer's name. So nobody speaks for anybody else, us included; a subject is unique
together with the issuer (`Identity.issuer`), never by itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from narthex import House, Identity
from narthex.errors import ConfigError
from narthex_plugins.auth.claim_words import Words
from narthex_plugins.auth.claims import Expectations, verify_claims
from narthex_plugins.auth.compact import parse_compact
from narthex_plugins.auth.fetching import Fetcher
from narthex_plugins.auth.freshness import Freshness
from narthex_plugins.auth.issuer_keys import IssuerKeys, KeyName, Limits, Told
from narthex_plugins.auth.issuer_settings import IssuerSettings
from narthex_plugins.auth.issuer_source import JwksSource
from narthex_plugins.auth.issuing import identity_of_token
from narthex_plugins.auth.keyset import KeySet
from narthex_plugins.auth.refusals import TokenCode, TokenRefused
from narthex_plugins.auth.tokens import peek, verify
from narthex_plugins.auth.verified import Known, Verified

_ALWAYS: Final = frozenset({"sub"})


class Issuer:
    """One external issuer: what its tokens have to be, its keys, and what its words mean."""

    def __init__(self, settings: IssuerSettings, leeway: float, max_size: int, keys: IssuerKeys) -> None:
        self.name = settings.issuer
        self.keys = keys
        self._expected = Expectations(
            issuer=settings.issuer,
            audiences=frozenset(settings.audience),
            algorithms=frozenset(settings.algorithms),
            leeway=leeway,
            max_size=max_size,
            types=frozenset(settings.types),
            required=_ALWAYS.union(settings.required),
            says=settings.says,
        )
        self._roles = Words(settings.roles, settings.role_map, settings.everyone, wildcards=True)
        self._permissions = Words(settings.permissions, settings.permission_map)

    async def verify(self, token: str, via: str, now: Callable[[], float]) -> Known:
        """Verify a token of this issuer.

        Args:
            token: the compact form.
            via: how it came.
            now: the wall clock, read again after a fetch.

        Returns:
            Who it is, and until when that may be remembered: not past `exp`, nor past the time for which the keys may
            be used without another fetch.

        Raises:
            TokenRefused: it is not good.
            IssuerUnavailable: the keys cannot be had.
        """
        keys = self.keys.at_hand()
        if keys is not None:
            try:
                return self._known(token, keys, via, now())
            except TokenRefused as refused:
                if not self._may_be_new(token, keys, refused):
                    raise
        name = self._worth_a_look(token, now())
        return self._known(token, await self.keys.look_for(name), via, now())

    def _known(self, token: str, keys: KeySet, via: str, now: float) -> Known:
        claims = verify(token, keys, self._expected, now)
        identity = replace(
            identity_of_token(claims, via), roles=self._roles.of(claims), permissions=self._permissions.of(claims)
        )
        until = min(identity.expires_at or 0.0, now + self.keys.usable_for())
        return Known(identity, until, math.inf)  # its sessions are its own to note

    def _may_be_new(self, token: str, keys: KeySet, refused: TokenRefused) -> bool:
        """Whether a rotation that has not been seen yet would explain the refusal.

        A key without a name shows it only by a signature that does not hold.
        """
        if refused.code == TokenCode.SIGNATURE:
            header = parse_compact(token, self._expected.max_size).header
            return any(key.kid is None for key in keys.candidates(header.kid, header.algorithm))
        return refused.code == TokenCode.KEY_UNKNOWN

    def _worth_a_look(self, token: str, now: float) -> KeyName:
        """The name of a token's key, where the token would be good if the key were.

        One that is expired, or for others, is refused without asking anybody: old tokens with old keys are common.
        """
        compact = parse_compact(token, self._expected.max_size)
        header = compact.header
        if header.algorithm not in self._expected.algorithms:
            raise TokenRefused(TokenCode.ALGORITHM, f"alg {header.algorithm!r} is not permitted")
        if header.type not in self._expected.types:
            raise TokenRefused(TokenCode.TYPE, f"typ {header.type!r}")
        verify_claims(compact.payload, self._expected, now)
        return header.kid, header.algorithm


class ExternalIssuers:
    """The external issuers of one instance.

    Args:
        issuers: their tables; at least one, or nothing here should have been imported.
        house: whose clock, log, metrics and background tasks are used.
        leeway: seconds by which clocks may differ.
        max_size: bytes of the longest token that is looked at.
        tokens: where tokens are remembered; those of an issuer are forgotten when its keys change.
    """

    def __init__(
        self, issuers: Sequence[IssuerSettings], house: House, leeway: float, max_size: int, tokens: Verified
    ) -> None:
        self._house = house
        self._max_size = max_size
        self._tokens = tokens
        self._fetches = house.metrics.counter(
            "narthex_auth_issuer_fetches_total",
            "Fetches of the keys of external issuers.",
            ("plugin", "issuer", "outcome"),
        )
        self._fetchers: list[tuple[IssuerSettings, Fetcher]] = []
        self._issuers = {one.issuer: self._issuer(one, leeway, max_size) for one in issuers}

    def _issuer(self, settings: IssuerSettings, leeway: float, max_size: int) -> Issuer:
        house, name = self._house, settings.issuer
        certificates = None if settings.ca is None else house.directory / settings.ca
        fetcher = Fetcher(certificates, insecure_http=settings.insecure_http)
        self._fetchers.append((settings, fetcher))

        def is_of(identity: Identity) -> bool:
            return identity.issuer == name

        told = Told(
            changed=lambda: self._tokens.forget(is_of),
            fetched=lambda outcome: self._fetches.inc(house.instance, name, outcome),
            log=house.log,
        )
        freshness = Freshness(settings.refresh, settings.keep, settings.cooldown)
        source = JwksSource(settings, fetcher, house.clock)
        keys = IssuerKeys(name, source, freshness, Limits(settings.fetch_timeout, settings.wait), house.clock, told)
        return Issuer(settings, leeway, max_size, keys)

    async def start(self) -> None:
        """Begin to fetch keys. Waits for no issuer: what needs one that does not answer is refused with 503 meanwhile.

        Raises:
            ConfigError: a file of certificates cannot be read.
        """
        for settings, fetcher in self._fetchers:
            try:
                await fetcher.prepare()
            except OSError as error:
                raise ConfigError(f"ca of the issuer {settings.issuer!r} cannot be read: {error}") from None
        for issuer in self._issuers.values():
            self._house.spawn(issuer.keys.follow, f"keys of {issuer.name}")

    def of(self, token: str) -> Issuer | None:
        """Whose token it claims to be; None for any but the external issuers, our own included.

        Raises:
            TokenRefused: it cannot be read.
        """
        _, claims = peek(token, self._max_size)
        claimed = claims.get("iss")
        return self._issuers.get(claimed) if isinstance(claimed, str) else None

    def without_keys(self) -> list[str]:
        """The issuers none of whose tokens can be verified now."""
        return [name for name, issuer in self._issuers.items() if not issuer.keys.at_hand()]
