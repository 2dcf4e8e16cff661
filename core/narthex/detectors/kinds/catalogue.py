"""All kinds there are: those with a form of their own, and those that a name beside them gives away."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from narthex.detectors.kinds.building import BUILDING
from narthex.detectors.kinds.clouds import CLOUDS
from narthex.detectors.kinds.kind import Kind
from narthex.detectors.kinds.paying import PAYING
from narthex.detectors.kinds.standard import STANDARD
from narthex.detectors.kinds.talking import TALKING

KINDS: Final[tuple[Kind, ...]] = (*STANDARD, *CLOUDS, *BUILDING, *TALKING, *PAYING)
"""With a form of their own; where two find the same text, the earlier names it."""


@dataclass(frozen=True, slots=True)
class Described:
    """A kind that a name gives away.

    Attributes:
        id: stable, as that of a `Kind`.
        description: a short noun phrase for people.
        source: who publishes the form.
        name: what stands in the name, or right before it on the line; None for every name.
        value: what the whole value is like; None for every plausible one.
    """

    id: str
    description: str
    source: str
    name: re.Pattern[str] | None = None
    value: re.Pattern[str] | None = None


def _named(id: str, description: str, source: str, name: str, value: str) -> Described:  # noqa: A002  as the attribute
    return Described(id, description, source, re.compile(name, re.IGNORECASE), re.compile(value))


_HEX32: Final = r"[0-9a-f]{32}"
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

NAMED: Final[tuple[Described, ...]] = (
    _named(
        "aws-secret-access-key", "AWS secret access key", "docs.aws.amazon.com: access keys",
        r"aws|secret_?access|secretkey", r"[A-Za-z0-9+/]{40}",
    ),
    _named(
        "datadog-key", "Datadog key", "docs.datadoghq.com: API and application keys", r"datadog|\bdd_?",
        r"[0-9a-f]{32}|[0-9a-f]{40}",
    ),
    _named(
        "cloudflare-key", "Cloudflare key or token", "developers.cloudflare.com: API keys", r"cloudflare|\bcf_?",
        r"[0-9a-f]{37}|[\w-]{40}",
    ),
    _named("heroku-api-key", "Heroku API key, the old form", "devcenter.heroku.com: authentication", r"heroku", _UUID),
    _named(
        "facebook-secret", "Facebook app secret", "developers.facebook.com: app secret", r"facebook|\bfb_?", _HEX32,
    ),
    _named(
        "twitter-secret", "X (Twitter) consumer key or secret", "developer.x.com: API keys", r"twitter",
        r"[A-Za-z0-9-]{25,60}",
    ),
    _named("algolia-api-key", "Algolia API key", "algolia.com: API keys", r"algolia", _HEX32),
    _named("fastly-token", "Fastly token", "docs.fastly.com: API tokens", r"fastly", r"[\w-]{32}"),
    _named("cohere-key", "Cohere API key", "docs.cohere.com: API keys", r"cohere|\bco_api", r"[A-Za-z0-9]{40}"),
    _named("mistral-key", "Mistral API key", "docs.mistral.ai: API keys", r"mistral", r"[A-Za-z0-9]{32}"),
    _named("deepgram-key", "Deepgram API key", "developers.deepgram.com: API keys", r"deepgram", r"[0-9a-f]{40}"),
    _named("twilio-auth-token", "Twilio auth token", "twilio.com: auth tokens", r"twilio", _HEX32),
    _named("discord-secret", "Discord client secret", "discord.com: OAuth2", r"discord", r"[\w-]{32}|[0-9a-f]{64}"),
    _named("okta-token", "Okta API token", "developer.okta.com: API tokens", r"okta", r"00[\w-]{40}"),
    _named("auth0-secret", "Auth0 client secret", "auth0.com: application settings", r"auth0", r"[\w-]{64}"),
    _named("spotify-secret", "Spotify client secret", "developer.spotify.com: authorization", r"spotify", _HEX32),
    _named("postmark-token", "Postmark server token", "postmarkapp.com: API authentication", r"postmark", _UUID),
    _named("snyk-api-token", "Snyk API token, the old form", "docs.snyk.io: API tokens", r"snyk", _UUID),
    _named("travis-token", "Travis CI token", "docs.travis-ci.com: API", r"travis", r"[\w-]{22}"),
    _named(
        "codecov-token", "Codecov token", "docs.codecov.com: upload tokens", r"codecov", rf"[0-9a-z]{{32}}|{_UUID}",
    ),
    _named("splunk-token", "Splunk HTTP event collector token", "docs.splunk.com: HEC", r"splunk|\bhec_", _UUID),
    _named(
        "pagerduty-key", "PagerDuty key", "support.pagerduty.com: API access keys", r"pagerduty|pager_duty|\bpd_",
        r"[\w+-]{20}|[0-9a-f]{32}",
    ),
    _named(
        "ethereum-key", "Ethereum private key", "ethereum.org: accounts",
        r"eth|wallet|private|deployer|signer|mnemonic", r"0x[0-9a-fA-F]{64}",
    ),
    _named(
        "django-secret-key", "Django's SECRET_KEY", "docs.djangoproject.com: settings", r"^(?:django_?)?secret_?key$",
        r"(?:django-insecure-)?[a-z0-9!@#$%^&*(_=+)-]{50}",
    ),
    Described("generic-password", "Password behind a name that says so", "names and entropy; no issuer"),
    Described("generic-secret", "Token or key behind a name that says so", "names and entropy; no issuer"),
)  # fmt: skip
"""Given away by a name beside them: the first that fits names it, the last two are for all others."""


DESCRIPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {one.id: one.description for one in KINDS} | {one.id: one.description for one in NAMED}
)
"""What each kind is, by its id."""


def name_kind(name: str, value: str, *, password: bool) -> Described:
    """Which of them a value behind a name is."""
    for one in NAMED[:-2]:
        if one.name is not None and one.value is not None and one.value.fullmatch(value) and one.name.search(name):
            return one
    return NAMED[-2] if password else NAMED[-1]
