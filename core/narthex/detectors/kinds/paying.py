"""Payments, shops, money, and models that answer for money."""

from typing import Final

from narthex.detectors.kinds.checksums import base58check, bech32
from narthex.detectors.kinds.kind import Kind, kind

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

PAYING: Final[tuple[Kind, ...]] = (
    kind(
        "stripe-key", "Stripe key", "docs.stripe.com: API keys",
        "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,247}", 3.0,
    ),
    kind(
        "stripe-webhook", "Secret of a webhook of Stripe, or of Standard Webhooks",
        "docs.stripe.com: webhook signatures", "whsec_", r"whsec_[A-Za-z0-9+/]{24,64}={0,2}", 3.5,
    ),
    kind(
        "square-token", "Square token", "developer.squareup.com: access tokens", "sq0atp- sq0csp- EAAA",
        r"sq0atp-[\w-]{22}(?![\w-])|sq0csp-[\w-]{43}(?![\w-])|EAAA[\w+/=-]{60}(?![\w-])", 3.4,
    ),
    kind(
        "braintree-token", "PayPal Braintree token", "developer.paypal.com: Braintree access tokens", "access_token$",
        r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",
    ),
    kind(
        "plaid-token", "Plaid access token", "plaid.com: tokens",
        "access-sandbox- access-development- access-production-",
        rf"access-(?:sandbox|development|production)-{_UUID}", 2.8,
    ),
    kind(
        "flutterwave-key", "Flutterwave secret key", "developer.flutterwave.com: API keys", "FLWSECK-  FLWSECK_TEST-",
        r"FLWSECK(?:_TEST)?-(?:[a-zA-Z0-9]{32}-X|[a-zA-Z0-9]{12})", 2.8,
    ),
    kind(
        "razorpay-key", "Razorpay key id", "razorpay.com: API keys", "rzp_live_ rzp_test_",
        r"rzp_(?:live|test)_[A-Za-z0-9]{14}", 2.8,
    ),
    kind(
        "mollie-key", "Mollie API key", "docs.mollie.com: authentication", "live_ test_",
        r"(?<!_)(?:live|test)_[A-Za-z0-9]{30}(?![A-Za-z0-9])", 3.5,
    ),
    kind(
        "adyen-key", "Adyen API key", "docs.adyen.com: API credentials", "AQE",
        r"AQE[a-zA-Z0-9]{2}[A-Za-z0-9+/=]{40,120}-[A-Za-z0-9+/=]{20,60}-[\w<>()\[\]{}!?.,^~&*%$#@=+/;:|-]{10,40}",
        4.0,
    ),
    kind(
        "gocardless-token", "GoCardless token", "developer.gocardless.com: access tokens", "live_ sandbox_",
        r"(?:live|sandbox)_[\w=-]{40}(?![\w=-])", 3.8,
    ),
    kind(
        "checkout-key", "Checkout.com secret key", "checkout.com: API keys", "sk_",
        rf"sk_(?:test_)?{_UUID}|sk_(?:sbox_)?[a-z2-7]{{26}}[a-z2-7*#$=]", 3.2,
    ),
    kind(
        "freemius-key", "Freemius secret key", "freemius.com: SDK keys", "sk_", r"sk_[^\s\"'_]{29}(?=[\"'])", 3.8,
        whole=True,
    ),
    kind(
        "easypost-key", "EasyPost API key", "docs.easypost.com: authentication", "EZAK EZTK",
        r"EZ[AT]K[A-Za-z0-9]{54}",
    ),
    kind(
        "shippo-token", "Shippo token", "docs.goshippo.com: authentication", "shippo_live_ shippo_test_",
        r"shippo_(?:live|test)_[a-fA-F0-9]{40}",
    ),
    kind(
        "duffel-token", "Duffel token", "duffel.com: access tokens", "duffel_live_ duffel_test_",
        r"duffel_(?:live|test)_[\w=-]{43}(?![\w-])",
    ),
    kind("adafruit-key", "Adafruit IO key", "io.adafruit.com: API keys", "aio_", r"aio_[A-Za-z0-9]{28}", 3.2),
    kind(
        "maxmind-key", "MaxMind license key", "dev.maxmind.com: license keys", "_mmk",
        r"(?<![A-Za-z0-9])[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?!\w)", 3.8, back=36, fixed=True, bare=True,
    ),
    kind(
        "woocommerce-secret", "WooCommerce REST secret", "woocommerce.github.io: REST API keys", "cs_ ck_",
        r"c[sk]_[a-f0-9]{40}",
    ),
    kind(
        "openai-key", "OpenAI API key", "platform.openai.com: API keys; every one has T3BlbkFJ in it", "T3BlbkFJ",
        r"(?<![A-Za-z0-9])sk-(?:(?:proj|svcacct|admin|service|None)-[\w-]{20,160}"
        r"|[A-Za-z0-9-]{20,60})T3BlbkFJ[\w-]{20,160}(?![\w-])", 3.5, back=180, prefix=3, bare=True,
    ),
    kind(
        "anthropic-key", "Anthropic API key", "docs.anthropic.com: API keys", "sk-ant-",
        r"sk-ant-(?:api|admin|oat|ort|sid)[0-9]{2}-[\w-]{40,120}(?![\w-])", 3.5,
    ),
    kind(
        "ai-key", "API key of OpenAI's form", "docs of OpenRouter, DeepSeek, OpenAI and others",
        "sk-or-v1- sk-proj- sk-svcacct- sk-",
        r"sk-or-v1-[a-f0-9]{64}|sk-(?:proj|svcacct|admin)-(?![\w-]*T3BlbkFJ)[\w-]{40,200}|sk-(?:[a-f0-9]{32}"
        r"|[A-Za-z0-9]{48})(?![\w-])", 3.2, prefix=3,
    ),
    kind(
        "huggingface-token", "Hugging Face token", "huggingface.co: user access tokens", "hf_ api_org_",
        r"(?:hf_|api_org_)[A-Za-z0-9]{34}", 3.2,
    ),
    kind("replicate-token", "Replicate token", "replicate.com: API tokens", "r8_", r"r8_[A-Za-z0-9]{37}", 3.2),
    kind("groq-key", "Groq API key", "console.groq.com: API keys", "gsk_", r"gsk_[A-Za-z0-9]{52}"),
    kind("xai-key", "xAI API key", "docs.x.ai: API keys", "xai-", r"xai-[A-Za-z0-9]{80}"),
    kind("perplexity-key", "Perplexity API key", "docs.perplexity.ai: API keys", "pplx-", r"pplx-[A-Za-z0-9]{48,56}"),
    kind("cerebras-key", "Cerebras API key", "inference-docs.cerebras.ai: API keys", "csk-", r"csk-[a-z0-9]{48}"),
    kind(
        "nvidia-key", "NVIDIA API key", "docs.nvidia.com: NGC API keys", "nvapi-", r"nvapi-[\w-]{60,70}(?![\w-])",
        3.5,
    ),
    kind("fireworks-key", "Fireworks API key", "docs.fireworks.ai: API keys", "fw_", r"fw_[A-Za-z0-9]{22,28}", 3.8),
    kind(
        "langsmith-key", "LangSmith API key", "docs.smith.langchain.com: API keys", "lsv2_pt_ lsv2_sk_",
        r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
    ),
    kind("langfuse-key", "Langfuse secret key", "langfuse.com: API keys", "sk-lf-", rf"sk-lf-{_UUID}", 2.8),
    kind(
        "pinecone-key", "Pinecone API key", "docs.pinecone.io: API keys", "pcsk_",
        r"pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{50,80}",
    ),
    kind(
        "tavily-key", "Tavily API key", "docs.tavily.com: API keys", "tvly-",
        r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{30,40}",
    ),
    kind("firecrawl-key", "Firecrawl API key", "docs.firecrawl.dev: API keys", "fc-", r"fc-[a-f0-9]{32}"),
    kind("jina-key", "Jina API key", "jina.ai: API keys", "jina_", r"jina_[A-Za-z0-9_-]{60}(?![\w-])"),
    kind("elevenlabs-key", "ElevenLabs API key", "elevenlabs.io: API keys", "sk_", r"sk_[a-f0-9]{48}", 3.0),
    kind(
        "apify-token", "Apify API token", "docs.apify.com: API tokens", "apify_api_", r"apify_api_[A-Za-z0-9]{36,40}",
    ),
    kind(
        "age-key", "age identity", "github.com/FiloSottile/age: the format; BIP 173", "AGE-SECRET-KEY-1",
        r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", checksum=bech32, checked="bech32",
    ),
    kind(
        "nostr-key", "Nostr secret key", "github.com/nostr-protocol: NIP-19", "nsec1",
        r"nsec1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{58}", checksum=bech32, checked="bech32",
    ),
    kind(
        "bitcoin-key", "Bitcoin private key", "en.bitcoin.it: wallet import format; BIP 32", "xprv 5H 5J 5K",
        r"xprv[1-9A-HJ-NP-Za-km-z]{107}|5[HJK][1-9A-HJ-NP-Za-km-z]{49}", 4.0, structure=base58check,
        checked="base58check", prefix=2,
    ),
)  # fmt: skip
