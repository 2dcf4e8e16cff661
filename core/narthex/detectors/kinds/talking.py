"""Messages, mail, documents, customers and sites."""

from typing import Final

from narthex.detectors.kinds.checksums import has_snowflake
from narthex.detectors.kinds.kind import Kind, kind

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

TALKING: Final[tuple[Kind, ...]] = (
    kind(
        "slack-token", "Slack token", "docs.slack.dev: token types",
        "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxc- xoxe- xoxe.",
        r"xox[bpars]-(?:[0-9]{8,14}-){1,3}[A-Za-z0-9]{18,64}|xox[os]-[0-9]{1,14}-[0-9]{1,14}-[0-9]{1,14}-"
        r"[0-9a-f]{10,64}"
        r"|xox[ar]-(?:[0-9]-)?[0-9A-Za-z]{8,48}|xoxc-[0-9]{8,14}-[0-9]{8,14}-[0-9]{8,14}-[0-9a-f]{64}"
        r"|xoxb-[0-9]{8,14}-[A-Za-z0-9]{18,26}|xoxe-[0-9]-[A-Za-z0-9]{140,180}"
        r"|xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{150,180}", 2.8,
    ),
    kind(
        "slack-app-token", "Slack app-level token", "docs.slack.dev: token types", "xapp-",
        r"xapp-[0-9]-[A-Z0-9]{9,14}-[0-9]{8,16}-[a-z0-9]{40,80}",
    ),
    kind(
        "slack-webhook", "Slack webhook", "docs.slack.dev: incoming webhooks", "hooks.slack.com/",
        r"hooks\.slack(?:-gov)?\.com/(?P<secret>(?:services|workflows"
        r"|triggers)/[A-Z0-9]{8,14}/[A-Z0-9]{8,24}/[A-Za-z0-9/]{20,48})", 3.2, prefix=9, bare=True,
    ),
    kind(
        "discord-token", "Discord bot token", "discord.com: API reference, authentication",
        "MT MD Mz Mj NT ND Nz Nj OT OD", r"(?<![\w-])[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,38}(?![\w-])", 4.0,
        bare=True, prefix=0, structure=has_snowflake, checked="the bot's id in base64",
    ),
    kind(
        "discord-webhook", "Discord webhook", "discord.com: webhook resource",
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/(?P<secret>[\w-]{60,72})", 4.0, bare=True, prefix=0,
    ),
    kind(
        "telegram-token", "Telegram bot token", "core.telegram.org: authorizing your bot", ":AA :AF :AG :AH :AE",
        r"(?<![0-9A-Za-z])(?P<secret>[0-9]{8,10}:A[AEFGH][\w-]{33})(?![\w-])", 3.8, back=10, bare=True,
    ),
    kind(
        "teams-webhook", "Microsoft Teams webhook", "learn.microsoft.com: incoming webhooks", ".webhook.office.com/",
        rf"\.webhook\.office\.com/webhookb2/(?P<secret>{_UUID}@{_UUID}/IncomingWebhook/[0-9a-f]{{32}}/{_UUID})", 3.2,
        bare=True,
    ),
    kind(
        "office-webhook", "Power Automate webhook", "learn.microsoft.com: Request trigger", ".logic.azure.com",
        r"\.logic\.azure\.com(?::443)?/workflows/[0-9a-f]{32}/[\w/?=&.%-]{10,120}sig=(?P<secret>[\w-]{43})", 4.0,
        bare=True,
    ),
    kind(
        "google-chat-webhook", "Google Chat webhook", "developers.google.com: Chat webhooks", "chat.googleapis.com/",
        r"chat\.googleapis\.com/v1/spaces/[\w-]{6,20}/messages\?(?P<secret>key=[\w-]{39}&token=[\w%-]{40,60})", 3.5,
        bare=True,
    ),
    kind(
        "zapier-webhook", "Zapier webhook", "help.zapier.com: webhooks", "hooks.zapier.com/",
        r"hooks\.zapier\.com/hooks/catch/(?P<secret>[0-9]{5,9}/[a-z0-9]{5,12})", 2.5, bare=True,
    ),
    kind(
        "sendgrid-key", "SendGrid API key", "docs.sendgrid.com: API keys", "SG.",
        r"SG\.[\w-]{22}\.[\w-]{43}(?![\w-])", 3.8,
    ),
    kind(
        "sendinblue-key", "Brevo API key", "developers.brevo.com: authentication", "xkeysib- xsmtpsib-",
        r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    ),
    kind(
        "mailchimp-key", "Mailchimp API key", "mailchimp.com: API keys", "-us",
        r"(?<![0-9a-zA-Z])[0-9a-f]{32}-us[0-9]{1,2}(?![0-9a-zA-Z])", 3.0, back=32, fixed=True, bare=True,
    ),
    kind("mailgun-key", "Mailgun key", "documentation.mailgun.com: API keys", "key-", r"key-[0-9a-f]{32}", 3.0),
    kind("resend-key", "Resend API key", "resend.com: API keys", "re_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}", 3.5),
    kind("twilio-key", "Twilio API key", "twilio.com: API keys", "SK", r"SK[0-9a-f]{32}", 3.0),
    kind(
        "messagebird-key", "MessageBird access key", "developers.messagebird.com: authentication", "live_",
        r"(?<!_)live_[A-Za-z0-9]{25}", 3.8,
    ),
    kind(
        "hubspot-token", "HubSpot private app token", "developers.hubspot.com: private apps",
        "pat-na1- pat-na2- pat-eu1-", rf"pat-(?:na|eu)[12]-{_UUID}", 2.8,
    ),
    kind(
        "intercom-token", "Intercom access token", "developers.intercom.com: authentication", "dG9rO",
        r"dG9rO[A-Za-z0-9+/]{45,90}={0,2}", 3.8,
    ),
    kind(
        "salesforce-token", "Salesforce session", "developer.salesforce.com: session ids", "00D",
        r"00D[A-Za-z0-9]{12,15}![\w.]{80,130}", 3.8,
    ),
    kind(
        "calendly-token", "Calendly token", "developer.calendly.com: personal access tokens", "cal_live_ cal_test_",
        r"cal_(?:live|test)_[a-f0-9]{32}",
    ),
    kind(
        "notion-token", "Notion integration token", "developers.notion.com: authorization", "ntn_ secret_",
        r"ntn_[0-9]{11}[A-Za-z0-9]{32,35}|secret_[A-Za-z0-9]{43}", 3.6,
    ),
    kind(
        "airtable-token", "Airtable personal access token", "airtable.com: personal access tokens", "pat",
        r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", 3.3,
    ),
    kind(
        "asana-token", "Asana personal access token", "developers.asana.com: personal access tokens",
        "1/1 2/1 1/2 1/9 1/8 1/7 1/6 1/5 1/4 1/3",
        r"(?<![\w/])[12]/[0-9]{13,18}(?:/[0-9]{13,18})?:[0-9a-f]{32}(?![0-9a-z])", 3.0, prefix=2, bare=True,
    ),
    kind(
        "linear-key", "Linear API key", "linear.app: API keys", "lin_api_ lin_oauth_",
        r"lin_api_[A-Za-z0-9]{40}|lin_oauth_[a-f0-9]{64}",
    ),
    kind(
        "dropbox-token", "Dropbox access token", "dropbox.com: OAuth guide", "sl.",
        r"sl\.(?:u\.)?[A-Za-z0-9_=-]{130,1200}", 4.0,
    ),
    kind("frameio-token", "Frame.io token", "developer.frame.io: tokens", "fio-u-", r"fio-u-[\w=-]{64}"),
    kind(
        "typeform-token", "Typeform token", "typeform.com: personal access tokens", "tfp_", r"tfp_[\w.=-]{43,59}",
        3.5,
    ),
    kind(
        "contentful-token", "Contentful management token", "contentful.com: personal access tokens", "CFPAT-",
        r"CFPAT-[\w-]{43}(?![\w-])",
    ),
    kind(
        "shopify-token", "Shopify token", "shopify.dev: access tokens", "shpat_ shpca_ shppa_ shpss_ shptka_",
        r"shp(?:at|ca|pa|ss|tka)_[a-fA-F0-9]{32}",
    ),
    kind(
        "facebook-token", "Facebook access token", "developers.facebook.com: access tokens", "EAA",
        r"EAA[A-Za-z0-9]{80,400}", 4.0,
    ),
    kind(
        "instagram-token", "Instagram access token", "developers.facebook.com: Instagram", "IGQV IGQW IGAA",
        r"IG(?:QV|QW|AA)[\w-]{100,300}", 4.0,
    ),
    kind(
        "facebook-app-token", "Facebook app token", "developers.facebook.com: access tokens", "| %7C",
        r"(?<![0-9A-Za-z])[0-9]{15,16}(?:\||%7C)[\w-]{27,40}(?![\w-])", 3.6, back=16, bare=True,
    ),
    kind(
        "twitter-token", "X (Twitter) bearer token", "developer.x.com: bearer tokens", "AAAAAAAAAAAAAAAA",
        r"(?<![A-Z0-9a-z])A{20,22}(?P<secret>[A-Za-z0-9%_-]{80,120})(?![A-Za-z0-9%])", 3.8, prefix=0, bare=True,
    ),
    kind(
        "lob-key", "Lob API key", "docs.lob.com: API keys", "live_ test_",
        r"(?<!_)(?:live|test)_(?:pub_)?[a-f0-9]{31,35}", 3.0,
    ),
    kind(
        "mapbox-token", "Mapbox secret token", "docs.mapbox.com: access tokens", "sk.eyJ",
        r"sk\.eyJ[\w-]{20,200}\.[\w-]{20,40}(?![\w-])", 3.8,
    ),
    kind(
        "linkedin-secret", "LinkedIn client secret", "learn.microsoft.com: LinkedIn OAuth", "WPL_AP1.",
        r"WPL_AP[01]\.[A-Za-z0-9.]{16,24}={0,2}", 3.2,
    ),
    kind(
        "authress-key", "Authress access key", "authress.io: service clients", "sc_ ext_ scauth_ authress_",
        r"(?<![\w])(?:sc|ext|scauth|authress)_[a-zA-Z0-9]{5,30}\.[a-zA-Z0-9]{4,6}\.acc[_-]"
        r"[a-zA-Z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}", 3.5, bare=True,
    ),
    kind(
        "adobe-secret", "Adobe client secret", "developer.adobe.com: OAuth credentials", "p8e-",
        r"p8e-[A-Za-z0-9_-]{32}(?![\w-])",
    ),
    kind(
        "beamer-token", "Beamer API token", "getbeamer.com: API", "b_", r"(?<!\w)b_[A-Za-z0-9=_-]{44}(?![\w=-])", 4.2,
        bare=True,
    ),
)  # fmt: skip
