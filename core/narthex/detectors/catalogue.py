"""The kinds of secrets that show themselves by their form."""

import re
from typing import Final

from narthex.detectors.detector import Check, Detector, always
from narthex.detectors.looks import has_digit, is_no_word, is_random


def _kind(id: str, description: str, keywords: str, pattern: str, check: Check = always, run: int = 16) -> Detector:  # noqa: A002
    return Detector(id, description, tuple(keywords.split()), re.compile(pattern, re.ASCII), check, run)


# Issuers' own prefixes: what follows one is a secret whatever surrounds it.
_ISSUED: Final = (
    _kind(
        "aws-access-key-id", "AWS access key id", "akia asia abia acca",
        r"(?<![A-Z0-9])A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}(?![A-Z0-9])",
    ),
    _kind("github-token", "GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{30,255}+"),
    _kind("github-fine-grained-token", "GitHub fine-grained token", "github_pat_", r"github_pat_\w{50,255}+"),
    _kind(
        "gitlab-token", "GitLab token", "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- glimt-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[\w-]{20,255}+",
    ),
    _kind(
        "slack-token", "Slack token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-",
        r"x(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,255}+",
    ),
    _kind(
        "slack-webhook", "Slack webhook address", "hooks.slack.com",
        r"hooks\.slack\.com/(?P<secret>(?:services|workflows|triggers)/[\w/+-]{20,255}+)",
    ),
    _kind(
        "stripe-key", "Stripe key", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_",
        r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,255}+",
    ),
    _kind("webhook-secret", "Secret of a webhook", "whsec_", r"whsec_[A-Za-z0-9+/=]{16,255}+"),
    _kind("google-api-key", "Google API key", "aiza", r"AIza[\w-]{35}"),
    _kind("google-oauth-token", "Google OAuth token", "ya29. 1//0", r"(?:ya29\.|1//0)[\w-]{20,2048}+"),
    _kind("google-oauth-secret", "Google OAuth client secret", "gocspx-", r"GOCSPX-[\w-]{20,255}+"),
    _kind(
        "ai-api-key", "API key of OpenAI, Anthropic and others", "sk-",
        r"(?<![A-Za-z0-9])sk-[\w-]{20,255}+", has_digit,
    ),
    _kind("npm-token", "npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _kind("pypi-token", "PyPI token", "pypi-age", r"pypi-AgE[\w-]{16,2048}+"),
    _kind("huggingface-token", "Hugging Face token", "hf_", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,255}+"),
    _kind("docker-token", "Docker Hub token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{20,255}+"),
    _kind("digitalocean-token", "DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[a-f0-9]{64}"),
    _kind("sendgrid-key", "SendGrid key", "sg.", r"(?<![A-Za-z0-9])SG\.[\w-]{16,64}+\.[\w-]{16,128}+"),
    _kind("twilio-key", "Twilio key", "sk", r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    _kind("mailgun-key", "Mailgun key", "key-", r"(?<![A-Za-z0-9])key-[0-9a-f]{32}"),
    _kind("shopify-token", "Shopify token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _kind(
        "square-token", "Square token", "sq0atp- sq0csp- eaaa",
        r"sq0(?:atp|csp)-[\w-]{22,64}+|(?<![\w-])EAAA[\w-]{56,64}+",
    ),
    _kind("telegram-token", "Telegram bot token", ":aa", r"(?<![0-9])[0-9]{8,10}+:AA[\w-]{32,34}+"),
    _kind("vault-token", "HashiCorp Vault token", "hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{20,512}+"),
    _kind("databricks-token", "Databricks token", "dapi", r"(?<![A-Za-z0-9])dapi[a-f0-9]{32}"),
    _kind("doppler-token", "Doppler token", "dp.", r"(?<![A-Za-z0-9])dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,255}+"),
    _kind("linear-key", "Linear key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}"),
    _kind("grafana-token", "Grafana token", "glc_ glsa_", r"gl(?:c|sa)_[A-Za-z0-9+/=_]{32,512}+"),
    _kind("age-key", "age identity", "age-secret-key-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
)  # fmt: skip

# Standard forms.
_STANDARD: Final = (
    _kind(
        "private-key",
        "Private key in PEM",
        "private",
        r"-----BEGIN [A-Z0-9 ]{0,40}+(?:(?<=PRIVATE KEY)|(?<=PRIVATE KEY BLOCK))-----"
        r"(?P<secret>(?:[^-]|-(?!----END))*+)",
        run=0,
    ),
    _kind(
        "jwt",
        "Signed token, or other JSON in base64",
        "eyj",
        # One attempt a run: whatever stands before, the first "eyJ" of the run is taken, with all that follows.
        r"(?<![\w+/-])(?>[\w+/-]*?(?=eyJ))(?P<secret>eyJ[\w+/-]{13,}+=*+(?:\.[\w+/-]*+=*+){0,4}+)",
    ),
    _kind(
        "url-password",
        "Password in a URL",
        "://",
        r"://[^\s/?#@:\"'<>\\]*+:(?![0-9]++(?:[/\s\"']|$))(?P<secret>[^\s\"'<>@/]{1,1024}+|[^\s\"'<>@]{1,100}+)@",
        run=0,
    ),
    _kind("url-token", "Token in the place of a user name in a URL", "://", r"://(?P<secret>[^\s/?#\"'<>@:]{16,}+)@"),
    _kind(
        "authentication-scheme",
        "What follows Bearer, Basic and the like",
        "bearer basic token negotiate apikey",
        r"(?i:(?<![a-z])(?:bearer|basic|token|negotiate|apikey))(?:[ \t]++|%20|\+)(?P<secret>[\w+/.~=:-]{6,}+)",
        is_no_word,
        run=0,
    ),
    _kind(
        "aws-signature",
        "Signature of a request to AWS",
        "signature=",
        r"(?i:signature)=(?P<secret>[0-9a-f]{40,128}+)",
    ),
)

# Things people say.
_SPOKEN: Final = (
    _kind(
        "spoken",
        "A value behind a word such as password or token",
        "passw pwd passphrase token secret key session cookie credential jwt",
        r"(?i:(?<![a-z0-9])(?:passw(?:or)?d|pwd|passphrase|token|secret|session|cookie|credential|jwt"
        r"|(?:api|access|secret|private|signing|encryption)[ ]key)s?(?:[ ](?:for|of)[ ][^\s:=]{1,64}+)?+"
        r"(?:[ ](?:is|was|id|value)){0,2}+:?)"
        r"[ \t]++[\"'`(<\[]?(?P<secret>(?!redacted)[^\s\"'`<>()\[\],;]{6,}+)",
        is_no_word,
        run=0,
    ),
    _kind(
        "one-time-code",
        "A code that is good once",
        "pin otp code",
        r"(?i:(?<![a-z0-9])(?:pin|otp|(?:verification|login|access|one-time|security|2fa|mfa|reset)[ ]code)(?:[ ]is)?)"
        r"(?:[ \t]*+:)?+[ \t]++(?P<secret>[0-9]{4,10}+)",
        run=0,
    ),
    _kind(
        "xml-element",
        "An XML element named password or token",
        "<",
        r"<(?:[\w-]++:)?(?i:[\w-]{0,30}?(?:password|passwd|secret|token|api_?key))[^<>]*+>(?P<secret>[^<]++)",
        run=0,
    ),
    _kind(
        "curl-user",
        "User and password on curl's command line",
        "curl",
        r"(?:^|[\s\"',])(?:-u|--user)(?:[\s=\"',]{1,5}+)(?P<secret>[^\s\"':]{1,100}+:[^\s\"']++)",
        run=0,
    ),
)

# Nothing but chance: opaque tokens. Also 40 characters of an AWS secret key.
_RANDOM: Final = (
    _kind("random", "Opaque token of 32 characters or more", "", r"(?<![\w+/-])[\w+/-]{32,}+={0,2}", is_random, run=32),
)

DETECTORS: Final[tuple[Detector, ...]] = (*_ISSUED, *_STANDARD, *_SPOKEN, *_RANDOM)
"""All of them. The order is the order in which one text that fits several is named."""
