"""What the `[plugins.notifications]` table holds."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from narthex import Settings
from narthex.config import Duration, PathPattern, Secret
from narthex.secrets import Address
from narthex_plugins.notifications.mailbox import checked
from narthex_plugins.notifications.pacing import Pace

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$", max_length=60)]
Topic = Annotated[str, Field(pattern=r"^(?:\*|[a-z][a-z0-9_]*)(?:\.(?:\*|[a-z0-9_]+))*(?:\.>)?$", max_length=200)]
_Path = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*[^*{}?#/]$")]
_Field = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=60)]
_To = Annotated[str, Field(min_length=1, max_length=320)]
LEASE_MARGIN = 5.0
"""Seconds that a lease lasts longer than any attempt."""


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no network: {error}") from None


Network = Annotated[Any, BeforeValidator(_network), WithJsonSchema({"type": "string", "x-narthex-type": "network"})]
Networks = tuple[IPv4Network | IPv6Network, ...]


class ChannelSettings(Settings):
    """What every channel has: how often and how fast it is tried."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=15, description="Attempts after which a notification is given up; an admin may have it tried again."
    )
    backoff: Annotated[Duration, Field(gt=0, le=3600)] = Field(
        default=5.0,
        description="The pause after the first failure is drawn between 0 and this, which doubles with each failure.",
    )
    longest: Annotated[Duration, Field(gt=0, le=86_400)] = Field(
        default=3600.0, description="What that bound does not grow beyond."
    )
    rate: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        default=None, examples=[5.0], description="Notifications a second at most, over all processes."
    )
    burst: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="So many may go at once where none went for a while; only with `rate`."
    )
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="Attempts under way at most, over all processes."
    )
    timeout: Annotated[Duration, Field(ge=0.1, le=20)] = Field(
        default=10.0, description="How long one attempt may take in all."
    )
    trip: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10,
        description="Failures in a row that open the circuit: nothing is sent for `rest`, then one first.",
    )
    rest: Annotated[Duration, Field(gt=0, le=86_400)] = Field(default=30.0, description="How long it stays open.")

    def pace(self) -> Pace:
        """The same, as the queue has it."""
        return Pace(
            self.attempts,
            self.backoff,
            self.longest,
            self.rate,
            self.burst,
            self.concurrency,
            self.timeout,
            self.trip,
            self.rest,
        )


class WebhookSettings(ChannelSettings):
    """A webhook: a POST, signed as Standard Webhooks has it."""

    url: Address = Field(
        examples=["https://ops.example/hooks/narthex"],
        description="Where to. { env } or { file } where the address itself is a secret.",
    )
    secret: Secret = Field(
        examples=[{"env": "OPS_WEBHOOK_SECRET"}],
        description='Signs what is sent: "whsec_" and 24 to 64 random bytes in Base64.',
    )
    previous_secret: Secret | None = Field(
        default=None,
        examples=[{"env": "OPS_WEBHOOK_SECRET_OLD"}],
        description="Signs as well, while receivers change over to `secret`.",
    )
    allow: tuple[Network, ...] = Field(
        default=(),
        examples=[["10.0.0.0/8"]],
        description="Networks that are not public and may be connected to all the same. All others are refused: "
        "private, loopback, link-local, and those of cloud metadata.",
    )
    redirects: Annotated[int, Field(ge=0, le=5)] = Field(
        default=0, description="Redirects (307, 308) that are followed; each address is judged as the first was."
    )
    ca: str | None = Field(
        default=None, examples=["ops-ca.pem"], description="File of further certificate authorities to trust."
    )


class EmailSettings(ChannelSettings):
    """E-mail by SMTP."""

    host: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        examples=["smtp.example"], description="The server that takes it."
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=587, description="587 for STARTTLS, 465 for TLS.")
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls: refuse a server without it. tls: from the first byte. none: in clear, no login.",
    )
    ca: str | None = Field(
        default=None, examples=["mail-ca.pem"], description="File of further certificate authorities to trust."
    )
    username: str | None = Field(default=None, examples=["shop"], description="Log in as.")
    password: Secret | None = Field(default=None, examples=[{"env": "SMTP_PASSWORD"}], description="With.")
    sender: _To = Field(examples=["Shop <ops@shop.example>"], description="From whom.")
    to: tuple[_To, ...] = Field(
        default=(), examples=[["ops@shop.example"]], description="To whom, where a notification does not say."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for address in (self.sender, *self.to):
            checked(address)
        if self.tls == "none" and self.password is not None:
            raise ValueError("a password is not sent in clear: set tls to starttls or tls")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


class AppriseSettings(ChannelSettings):
    """Services that the library Apprise knows: chats, pagers, push."""

    urls: Annotated[tuple[Secret, ...], Field(min_length=1)] = Field(
        examples=[[{"env": "OPS_SLACK_URL"}]], description="Where to, as Apprise writes it; each holds its own secrets."
    )


class LogSettings(ChannelSettings):
    """Lines of the log: what to begin with, and what a demo needs."""

    level: Literal["info", "warning", "error"] = Field(default="info", description="Level of the line.")


class FileSettings(Settings):
    """Text that lies in a file."""

    file: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="Its path, relative to the configuration file."
    )


_Text = Annotated[str, Field(max_length=65_536)] | FileSettings


class TemplateSettings(Settings):
    """What is said, in Jinja2; each part is a text or { file = "..." }."""

    subject: _Text = Field(default="{{ notification.template }}", description="One line: e-mail's subject, a title.")
    text: _Text = Field(examples=["{{ host }} is full"], description="Plain text; for every channel but webhooks.")
    html: _Text | None = Field(
        default=None, examples=[{"file": "full.html"}], description="For e-mail; values are escaped."
    )
    body: _Text | None = Field(
        default=None,
        examples=['{"text": {{ host | tojson }}}'],
        description="JSON that a webhook gets, instead of { type, timestamp, data }.",
    )


class RuleSettings(Settings):
    """An event of the house that becomes a notification."""

    event: Topic = Field(
        examples=["narthex.alert.*"], description="Its topic: * stands for one word, > at the end for all that follow."
    )
    channel: Name = Field(examples=["ops"], description="By which channel.")
    template: Name = Field(default="event", description="Said how; unless set, every field on a line of its own.")
    where: dict[_Field, str | int | float | bool] = Field(
        default={}, examples=[{"severity": "page"}], description="Fields that the event has to have."
    )
    to: tuple[_To, ...] = Field(
        default=(),
        examples=[["{name}"]],
        description="E-mail: to whom. A name in braces is a field of the event, such as an account's name.",
    )
    every: Annotated[Duration, Field(gt=0)] | None = Field(
        default=None, examples=["10m"], description="At most one in so long, over all processes; the rest is not told."
    )


class NotificationsSettings(Settings):
    """Who is told of what, and how hard it is tried."""

    KINDS: ClassVar[tuple[str, ...]] = ("webhook", "email", "apprise", "log")

    webhook: dict[Name, WebhookSettings] = Field(default={}, description="Webhooks, by their names.")
    email: dict[Name, EmailSettings] = Field(default={}, description="E-mail, by the channel's name.")
    apprise: dict[Name, AppriseSettings] = Field(default={}, description="Apprise services, by the channel's name.")
    log: dict[Name, LogSettings] = Field(
        default={}, examples=[{"ops": {"level": "warning"}}], description="Lines of the log, by the channel's name."
    )
    templates: dict[Name, TemplateSettings] = Field(
        default={}, description="What is said. `message` (subject, text), `event` and `test` are there already."
    )
    rules: tuple[RuleSettings, ...] = Field(default=(), description="Events that become notifications.")
    deliver: bool = Field(default=True, description="Whether processes with this file deliver; false where others do.")
    workers: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="Attempts that one process has under way at most."
    )
    poll: Annotated[Duration, Field(ge=0.05, le=10)] = Field(
        default=1.0, description="How long something that is due may lie where nobody tells of it."
    )
    keep: Annotated[Duration, Field(ge=60)] = Field(
        default=30 * 86_400.0,
        description="How long what was sent or cancelled is kept, and its `dedup_key` known.",
    )
    keep_dead: Annotated[Duration, Field(ge=60)] = Field(
        default=90 * 86_400.0, description="How long what was given up is kept."
    )
    path: _Path = Field(default="/notifications", description="Path of the endpoints and the page, below `prefix`.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [name for kind in self.KINDS for name in getattr(self, kind)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two channels are called {twice[0]!r}")
        for rule in self.rules:
            if rule.channel not in names:
                raise ValueError(f"a rule names the channel {rule.channel!r}, which there is not")
        return self

    def channels(self) -> dict[str, ChannelSettings]:
        """Every channel by its name."""
        return {name: one for kind in self.KINDS for name, one in getattr(self, kind).items()}

    def lease(self) -> float:
        """Seconds for which a worker has a notification: longer than an attempt, and at most 25."""
        return max((one.timeout for one in self.channels().values()), default=10.0) + LEASE_MARGIN
