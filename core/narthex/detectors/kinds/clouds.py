"""Clouds, hosting, networks and databases."""

from base64 import b64decode
from typing import Final

from narthex.detectors.kinds.kind import Kind, kind


def _is_64_bytes(key: str) -> bool:
    return len(b64decode(key)) == 64


CLOUDS: Final[tuple[Kind, ...]] = (
    kind(
        "aws-access-key-id", "AWS access key id", "docs.aws.amazon.com: IAM, understanding unique ID prefixes",
        "AKIA ASIA ABIA ACCA A3T", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}", 2.7,
    ),
    kind(
        "aws-bedrock-key", "Amazon Bedrock API key", "docs.aws.amazon.com: Bedrock, API keys",
        "ABSK bedrock-api-key-",
        r"ABSK[A-Za-z0-9+/]{109,269}={0,2}|bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[\w+/=-]{20,2000}",
    ),
    kind(
        "aws-mws-token", "Amazon Marketplace Web Service token", "docs.developer.amazonservices.com: MWS",
        "amzn.mws.", r"amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", 2.5,
    ),
    kind(
        "google-api-key", "Google API key", "cloud.google.com: authenticate by using API keys", "AIza",
        r"AIza[\w-]{35}(?![\w-])", 3.5,
    ),
    kind(
        "google-oauth-secret", "Google OAuth client secret", "developers.google.com: OAuth 2.0 client credentials",
        "GOCSPX-", r"GOCSPX-[\w-]{28}(?![\w-])",
    ),
    kind(
        "google-oauth-token", "Google OAuth access or refresh token", "developers.google.com: OAuth 2.0 token size",
        "ya29. 1//0", r"ya29\.[\w-]{30,1024}+|1//0[\w-]{40,160}+", 3.5,
    ),
    kind(
        "firebase-server-key", "Firebase Cloud Messaging server key", "firebase.google.com: legacy HTTP server keys",
        "AAAA", r"AAAA[\w-]{7}:[\w-]{140}(?![\w-])", 3.5,
    ),
    kind(
        "azure-client-secret", "Microsoft Entra ID client secret", "learn.microsoft.com: client secret patterns",
        "Q~", r"(?<![\w~.-])[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}(?![\w~.-])", 3.0, back=4, fixed=True, bare=True,
    ),
    kind(
        "azure-storage-key", "Azure Storage account key", "learn.microsoft.com: storage account access keys", "==",
        r"(?<![A-Za-z0-9+/-])[A-Za-z0-9+/]{86}==(?!=)", 4.5, back=86, fixed=True, bare=True, structure=_is_64_bytes,
    ),
    kind(
        "azure-identifiable-key", "Key of an Azure service, with Microsoft's mark in it",
        "microsoft/security-utilities on GitHub",
        "JQQJ99 +ASt +ABa +ACDb +AMC +AIoT +ARm AzCa APIM AzFu AzSe AzEg AZEG",
        r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}|[A-Za-z0-9+/]{33,76}"
        r"(?:\+(?:ASt|ABa|ACDb|AMC|AIoT|ARm)|AzCa|APIM|AzFu|AzSe|AzEg"
        r"|AZEG)[A-Za-z0-9+/]{5,6}(?:==?)?)(?![A-Za-z0-9+/=])", 4.0, back=76, bare=True,
    ),
    kind(
        "azure-devops-token", "Azure DevOps personal access token",
        "learn.microsoft.com: changes to the format of PATs", "AZDO",
        r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])", 4.0, back=76, fixed=True, bare=True,
    ),
    kind(
        "azure-shared-access", "Shared access signature of Azure", "learn.microsoft.com: service SAS", "sig=",
        r"(?<=[?&;])sig=(?P<secret>[A-Za-z0-9%+/]{43,60}(?:%3D|=))", 4.0, bare=True,
    ),
    kind(
        "alibaba-access-key", "Alibaba Cloud access key id", "alibabacloud.com: RAM, AccessKey pairs", "LTAI",
        r"LTAI[A-Za-z0-9]{12,20}", 3.2,
    ),
    kind(
        "tencent-access-key", "Tencent Cloud secret id", "cloud.tencent.com: CAM, API keys", "AKID",
        r"AKID[A-Za-z0-9]{32}", 3.5,
    ),
    kind(
        "yandex-key", "Yandex Cloud key or token", "yandex.cloud: IAM token and API key formats", "AQVN t1. YC",
        r"AQVN[\w-]{35,38}|t1\.[A-Z0-9a-z_-]{1,32}={0,2}\.[\w-]{86}={0,2}|YC[A-Za-z0-9_-]{38}", 3.5, prefix=4,
    ),
    kind(
        "digitalocean-token", "DigitalOcean token", "docs.digitalocean.com: personal access tokens",
        "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[a-f0-9]{64}",
    ),
    kind("scaleway-key", "Scaleway access key", "scaleway.com: IAM, API keys", "SCW", r"SCW[A-Z0-9]{17}", 3.0),
    kind(
        "cloudflare-ca-key", "Cloudflare origin CA key", "developers.cloudflare.com: origin CA keys", "v1.0-",
        r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}",
    ),
    kind(
        "cloudflare-token", "Cloudflare API token", "developers.cloudflare.com: token formats", "cfut_ cfat_ cfk_",
        r"cf(?:ut|at|k)_[A-Za-z0-9_-]{40,53}", 3.5,
    ),
    kind(
        "heroku-key", "Heroku API key", "devcenter.heroku.com: authentication tokens", "HRKU-",
        r"HRKU-(?:AA[0-9A-Za-z_-]{58}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    ),
    kind(
        "fly-token", "Fly.io access token", "fly.io: access tokens", "fo1_ fm1a_ fm1r_ fm2_",
        r"fo1_[\w-]{43}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,2000}+={0,3}", 3.8,
    ),
    kind(
        "netlify-token", "Netlify access token", "docs.netlify.com: personal access tokens", "nfp_ nfc_ nfo_ nfu_",
        r"nf[pcou]_[A-Za-z0-9_]{36}", 3.2,
    ),
    kind(
        "vercel-token", "Vercel token", "vercel.com: token formats", "vcp_ vci_ vca_ vcr_ vck_",
        r"vc[piark]_[A-Za-z0-9]{24,60}", 3.5,
    ),
    kind("render-token", "Render API key", "render.com: API keys", "rnd_", r"rnd_[A-Za-z0-9]{28,40}", 3.5),
    kind(
        "supabase-token", "Supabase token", "supabase.com: API keys", "sbp_ sb_secret_",
        r"sbp_[a-f0-9]{40}|sb_secret_[\w-]{31,60}", 3.0,
    ),
    kind(
        "planetscale-secret", "PlanetScale password or token", "planetscale.com: service tokens",
        "pscale_pw_ pscale_tkn_ pscale_oauth_", r"pscale_(?:pw|tkn|oauth)_[\w=.-]{32,64}", 3.2,
    ),
    kind("neon-key", "Neon API key", "neon.tech: API keys", "napi_", r"napi_[a-z0-9]{60,70}", 3.2),
    kind(
        "databricks-token", "Databricks token", "docs.databricks.com: personal access tokens", "dapi",
        r"dapi[a-f0-9]{32}(?:-[0-9])?", 3.0,
    ),
    kind(
        "clickhouse-key", "ClickHouse Cloud API key", "clickhouse.com: Cloud API keys", "4b1d",
        r"4b1d[A-Za-z0-9]{38}", 3.5,
    ),
    kind(
        "confluent-key", "Confluent Cloud API secret", "docs.confluent.io: API keys", "cflt",
        r"cflt[A-Za-z0-9+/]{60}", 4.0,
    ),
    kind(
        "tailscale-key", "Tailscale key", "tailscale.com: key prefixes", "tskey-",
        r"tskey-(?:api|auth|client|scim|webhook|oauth)-[A-Za-z0-9]{6,24}-[A-Za-z0-9]{16,48}"
        r"|tskey-[a-z0-9]{16,40}-[A-Za-z0-9]{16,48}",
    ),
    kind(
        "ngrok-key", "ngrok API key", "ngrok.com: API keys", "ak_ cr_ ngrok_",
        r"(?:ak|cr)_2[A-Za-z0-9]{26}|ngrok_[A-Za-z0-9]{27}_[A-Za-z0-9]{21}", 3.5,
    ),
    kind(
        "defined-networking-token", "Defined Networking token", "docs.defined.net: API keys", "dnkey-",
        r"dnkey-[a-zA-Z0-9=_-]{26}-[a-zA-Z0-9=_-]{52}",
    ),
    kind(
        "aiven-password", "Password of an Aiven service", "docs.aiven.io: service users", "AVNS_", r"AVNS_[\w-]{19}",
        3.0,
    ),
)  # fmt: skip
