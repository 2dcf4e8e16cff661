"""Secrets made at run time, one form for each kind: none stands in the repository, and none was ever issued.

In a form `<h:40>` stands for forty characters of a set; the sets are below. What needs a checksum has a function.
"""

import base64
import hashlib
import json
import random
import re
import string
import zlib
from collections.abc import Callable

from narthex.detectors.kinds.checksums import _BASE58, _BECH32, base62, polymod

SETS = {
    "a": string.ascii_lowercase,
    "A": string.ascii_uppercase,
    "0": string.digits,
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "w": string.ascii_letters + string.digits,
    "W": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
    "l": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "32": string.ascii_uppercase + "234567",
    "2": string.ascii_lowercase + "234567",
}
FORMS = {
    "aws-access-key-id": "AKIA<32:16>",
    "aws-bedrock-key": "ABSK<b:132>",
    "aws-mws-token": "amzn.mws.<u>",
    "google-api-key": "AIza<w:35>",
    "google-oauth-secret": "GOCSPX-<w:28>",
    "google-oauth-token": "ya29.<w:120>",
    "firebase-server-key": "AAAA<w:7>:<w:140>",
    "azure-client-secret": "<w:3>8Q~<w:34>",
    "azure-identifiable-key": "<w:52>JQQJ99<w:26>",
    "azure-devops-token": "<w:76>AZDO<w:4>",
    "azure-shared-access": "https://acct.blob.core.windows.net/c?sv=2023&sig=<w:43>%3D",
    "alibaba-access-key": "LTAI<w:20>",
    "tencent-access-key": "AKID<w:32>",
    "yandex-key": "AQVN<w:36>",
    "digitalocean-token": "dop_v1_<h:64>",
    "scaleway-key": "SCW<U:17>",
    "cloudflare-ca-key": "v1.0-<h:24>-<h:146>",
    "cloudflare-token": "cfut_<w:48>",
    "heroku-key": "HRKU-AA<w:58>",
    "fly-token": "fo1_<w:43>",
    "netlify-token": "nfp_<w:36>",
    "vercel-token": "vcp_<w:40>",
    "render-token": "rnd_<w:32>",
    "supabase-token": "sbp_<h:40>",
    "planetscale-secret": "pscale_tkn_<w:43>",
    "neon-key": "napi_<l:64>",
    "databricks-token": "dapi<h:32>",
    "clickhouse-key": "4b1d<w:38>",
    "confluent-key": "cflt<b:60>",
    "tailscale-key": "tskey-auth-<w:16>-<w:32>",
    "ngrok-key": "ak_2<w:26>",
    "defined-networking-token": "dnkey-<W:26>-<W:52>",
    "aiven-password": "AVNS_<w:19>",
    "github-app-token": "ghs_<w:76>",
    "github-fine-grained-token": "github_pat_<w:22>_<w:59>",
    "github-fine-grained-token-loose": "github_pat_<w:70>",
    "gitlab-token": "glpat-<w:20>",
    "gitlab-runner-token": "GR1348941<w:20>",
    "gitlab-session": "_gitlab_session=<l:32>",
    "bitbucket-password": "ATBB<w:24><H:8>",
    "atlassian-token": "ATATT3xFfGF0<w:172>=<H:8>",
    "pypi-token": "pypi-AgEIcHlwaS5vcmc<w:120>",
    "rubygems-token": "rubygems_<h:48>",
    "crates-token": "cio<w:32>",
    "nuget-key": "oy2<l:43>",
    "clojars-token": "CLOJARS_<h:60>",
    "docker-token": "dckr_pat_<w:27>",
    "artifactory-key": "AKCp<w:69>",
    "terraform-token": "<w:14>.atlasv1.<w:67>",
    "vault-token": "hvs.<w:92>",
    "pulumi-token": "pul-<h:40>",
    "doppler-token": "dp.pt.<w:43>",
    "infisical-token": "st.<h:24>.<h:32>.<h:32>",
    "1password-token": "ops_eyJ<w:300>",
    "circleci-token": "CCIPAT_<w:22>_<h:40>",
    "buildkite-token": "bkua_<l:40>",
    "harness-token": "pat.<w:22>.<h:24>.<w:20>",
    "octopus-key": "API-<U:26>",
    "jenkins-token": "jenkins_token = 11<h:32>",
    "sonar-token": "squ_<h:40>",
    "snyk-token": "snyk_uat.<h:8>.<w:80>",
    "sourcegraph-token": "sgp_<h:40>",
    "postman-key": "PMAK-<h:24>-<h:34>",
    "scalingo-token": "tk-us-<w:48>",
    "infracost-key": "ico-<w:32>",
    "prefect-key": "pnu_<w:36>",
    "openshift-token": "sha256~<w:43>",
    "grafana-cloud-token": "glc_<w:80>",
    "sentry-token": "sntryu_<h:64>",
    "new-relic-key": "NRAK-<U:27>",
    "dynatrace-token": "dt0c01.<U:24>.<U:64>",
    "honeycomb-key": "hcaik_<l:58>",
    "launchdarkly-key": "sdk-<u>",
    "algolia-key": "NjQ<w:240>",
    "figma-token": "figd_<w:40>",
    "expo-token": 'EXPO_TOKEN: "<w:40>"',
    "readme-token": "rdme_<l:70>",
    "gradle-key": "eyJkZXZlbG9j<w:80>",
    "slack-token": "xoxb-<0:12>-<0:13>-<w:24>",
    "slack-app-token": "xapp-1-A<U:10>-<0:13>-<h:64>",
    "slack-webhook": "https://hooks.slack.com/services/T<U:10>/B<U:10>/<w:24>",
    "discord-webhook": "https://discord.com/api/webhooks/<0:18>/<w:68>",
    "telegram-token": "<0:10>:AA<w:33>",
    "teams-webhook": "https://acme.webhook.office.com/webhookb2/<u>@<u>/IncomingWebhook/<h:32>/<u>",
    "office-webhook": "https://prod-1.westus.logic.azure.com:443/workflows/<h:32>/triggers/manual/paths/invoke?sp=1&sig=<w:43>",
    "google-chat-webhook": "https://chat.googleapis.com/v1/spaces/AAAA<w:7>/messages?key=AIza<w:35>&token=<w:43>",
    "zapier-webhook": "https://hooks.zapier.com/hooks/catch/<0:7>/<l:7>",
    "sendgrid-key": "SG.<w:22>.<w:43>",
    "sendinblue-key": "xkeysib-<h:64>-<w:16>",
    "mailchimp-key": "<h:32>-us14",
    "mailgun-key": "key-<h:32>",
    "resend-key": "re_<w:8>_<w:24>",
    "twilio-key": "SK<h:32>",
    "messagebird-key": "live_<w:25>",
    "hubspot-token": "pat-na1-<u>",
    "intercom-token": "dG9rO<w:55>=",
    "salesforce-token": "00D<w:12>!<w:96>",
    "calendly-token": "cal_live_<h:32>",
    "notion-token": "ntn_<0:11><w:35>",
    "airtable-token": "pat<w:14>.<h:64>",
    "asana-token": "1/1<0:15>:<h:32>",
    "linear-key": "lin_api_<w:40>",
    "dropbox-token": "sl.<w:135>",
    "frameio-token": "fio-u-<w:64>",
    "typeform-token": "tfp_<w:44>",
    "contentful-token": "CFPAT-<w:43>",
    "shopify-token": "shpat_<h:32>",
    "facebook-token": "EAAC<w:160>",
    "instagram-token": "IGQV<w:140>",
    "facebook-app-token": "<0:16>|<w:27>",
    "twitter-token": "AAAAAAAAAAAAAAAAAAAAA<w:88>",
    "lob-key": "live_<h:35>",
    "mapbox-token": "sk.eyJ<w:60>.<w:22>",
    "linkedin-secret": "WPL_AP1.<w:16>",
    "authress-key": "sc_<w:12>.<w:5>.acc-<w:14>.<w:60>",
    "adobe-secret": "p8e-<w:32>",
    "beamer-token": "b_<w:44>",
    "stripe-key": "sk_live_<w:24>",
    "stripe-webhook": "whsec_<w:32>",
    "square-token": "sq0atp-<w:22>",
    "braintree-token": "access_token$production$<l:16>$<h:32>",
    "plaid-token": "access-production-<u>",
    "flutterwave-key": "FLWSECK-<h:32>-X",
    "razorpay-key": "rzp_live_<w:14>",
    "mollie-key": "live_<w:30>",
    "gocardless-token": "live_<w:40>",
    "checkout-key": "sk_<u>",
    "freemius-key": '"sk_<w:29>"',
    "easypost-key": "EZAK<w:54>",
    "shippo-token": "shippo_live_<h:40>",
    "duffel-token": "duffel_live_<w:43>",
    "adafruit-key": "aio_<w:28>",
    "maxmind-key": "<w:6>_<w:29>_mmk",
    "woocommerce-secret": "cs_<h:40>",
    "openai-key": "sk-proj-<w:58>T3BlbkFJ<w:58>",
    "anthropic-key": "sk-ant-api03-<w:93>AA",
    "ai-key": "sk-or-v1-<h:64>",
    "huggingface-token": "hf_<w:34>",
    "replicate-token": "r8_<w:37>",
    "groq-key": "gsk_<w:52>",
    "xai-key": "xai-<w:80>",
    "perplexity-key": "pplx-<w:48>",
    "cerebras-key": "csk-<l:48>",
    "nvidia-key": "nvapi-<w:64>",
    "fireworks-key": "fw_<w:24>",
    "langsmith-key": "lsv2_pt_<h:32>_<h:10>",
    "langfuse-key": "sk-lf-<u>",
    "pinecone-key": "pcsk_<w:6>_<w:62>",
    "tavily-key": "tvly-<w:32>",
    "firecrawl-key": "fc-<h:32>",
    "jina-key": "jina_<w:60>",
    "elevenlabs-key": "sk_<h:48>",
    "apify-token": "apify_api_<w:36>",
    "jwk-private": '{"kty": "OKP", "d": "<w:43>"}',
    "bearer-token": "Authorization: Bearer <w:40>",
    "url-password": "postgresql://shop:<w:16>@db.internal/shop",
    "curl-user": "curl -u alice:<w:14> https://api.internal/",
    "command-password": "sshpass -p <w:14> ssh host",
    "call-password": "session.login('alice', '<w:18>7')",
    "sql-password": "CREATE USER app IDENTIFIED BY '<w:14>';",
    "netrc-password": "machine api.internal login alice password <w:16>",
    "npmrc-token": "//registry.internal/:_authToken=<w:40>",
    "shadow-hash": "alice:$6$<w:16>$<w:86>:19700:0:99999:7:::",
    "putty-key": "Private-Lines: 2\n<b:64>\n<b:64>\n",
    "adyen-key": "AQEyh<b:60>-<b:40>-<w:16>",
}


def fill(form: str, draw: random.Random) -> str:
    """The form with its sets drawn."""
    form = form.replace("<u>", "<h:8>-<h:4>-4<h:3>-a<h:3>-<h:12>")
    return re.sub(r"<(\w+):(\d+)>", lambda found: "".join(draw.choices(SETS[found[1]], k=int(found[2]))), form)


def with_crc32(prefix: str) -> Callable[[random.Random], str]:
    def make(draw: random.Random) -> str:
        body = fill("<w:30>", draw)
        return prefix + body + base62(zlib.crc32(body.encode()))

    return make


def grafana(draw: random.Random) -> str:
    body = "glsa_" + fill("<w:32>", draw)
    return f"{body}_{zlib.crc32(body.encode()).to_bytes(4, 'little').hex()}"


def bech32_of(prefix: str) -> Callable[[random.Random], str]:
    def make(draw: random.Random) -> str:
        data = [draw.randrange(32) for _ in range(52)]
        values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + data
        rest = polymod([*values, 0, 0, 0, 0, 0, 0]) ^ 1
        data += [rest >> 5 * (5 - place) & 31 for place in range(6)]
        text = prefix + "1" + "".join(_BECH32[value] for value in data)
        return text.upper() if prefix.startswith("age") else text

    return make


def bitcoin(draw: random.Random) -> str:
    data = b"\x80" + draw.randbytes(32)
    number = int.from_bytes(data + hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4], "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text


def part(what: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")


def jwt(draw: random.Random) -> str:
    claims = {"sub": fill("<h:12>", draw), "iss": "https://id.internal", "exp": 1900000000}
    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.{fill('<w:86>', draw)}"


def pem(draw: random.Random, label: str = "RSA PRIVATE KEY") -> str:
    body = base64.b64encode(draw.randbytes(600)).decode()
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def basic(draw: random.Random) -> str:
    return "Authorization: Basic " + base64.b64encode(fill("svc:<w:14>", draw).encode()).decode()


def discord(draw: random.Random) -> str:
    return base64.b64encode(fill("1<0:17>", draw).encode()).decode() + fill(".<w:6>.<w:38>", draw)


def storage(draw: random.Random) -> str:
    return base64.b64encode(draw.randbytes(64)).decode()


MADE: dict[str, Callable[[random.Random], str]] = {
    "github-token": with_crc32("gh" + "p_"),
    "npm-token": with_crc32("npm" + "_"),
    "grafana-token": grafana,
    "age-key": bech32_of("age-secret-key-"),
    "nostr-key": bech32_of("nsec"),
    "bitcoin-key": bitcoin,
    "jwt": jwt,
    "private-key": pem,
    "private-key-base64": lambda draw: base64.b64encode(pem(draw).encode()).decode(),
    "basic-credentials": basic,
    "discord-token": discord,
    "azure-storage-key": storage,
}


def secret(kind: str, draw: random.Random) -> str:
    """A text with a secret of the kind; in most it is all of it."""
    return MADE[kind](draw) if kind in MADE else fill(FORMS[kind], draw)
