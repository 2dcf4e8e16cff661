"""What the tables of the file hold: `[narthex]`, what every plugin has, and what a plugin builds its own on."""

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from narthex.config.places import quoted
from narthex.config.units import Duration
from narthex.errors import ConfigError
from narthex.given import GivenText, json_value, strictly
from narthex.paths import Pattern
from narthex.proxies import TrustedProxies
from narthex.secrets import Address, Secret

_APP: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(\))?", re.ASCII)
INSTANCE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
"""The name of a plugin's table."""
_USE: Final = re.compile(r"[A-Za-z0-9_][\w.-]*(:[A-Za-z_][\w.]*)?", re.ASCII)


SHORTEST_KEY: Final = 32
"""Characters of `secret_key`: fewer are a password that someone thought of, not a key."""


class Settings(BaseModel):
    """A table of the file. Frozen; unknown keys are refused; numbers and truth values are not guessed at.

    Give every field a description: the example file and the reference are made of them. Times are `Duration`,
    amounts of bytes `Size`, passwords and keys `Secret`, path patterns `PathPattern`; tables within the table
    are `Settings` too.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # pydantic would print whole tables, secrets included
        allow_inf_nan=False,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = strictly(handler(source))
        return schema

    @model_validator(mode="before")
    @classmethod
    def _read_environment_text(cls, value: object) -> object:
        return json_value(value) if isinstance(value, GivenText) else value


def _mistake(message: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("mistake", "{message}", {"message": message, "hint": hint})


def _checked_by(check: Callable[[str], object]) -> AfterValidator:
    """Let a text pass that `check` takes without a ConfigError."""

    def checked(text: str) -> str:
        try:
            check(text)
        except ConfigError as error:
            raise _mistake(str(error.args[0]), error.hint) from None
        return text

    return AfterValidator(checked)


def _named(kind: str, **schema: str) -> WithJsonSchema:
    """Give a text a kind of its own in schema and reference."""
    return WithJsonSchema({"type": "string", **schema, "x-narthex-type": kind})


PathPattern = Annotated[str, _checked_by(Pattern), _named("path pattern", pattern="^/")]
"""Text of a path pattern: anchored, literal but for `*` and `**`; see `narthex.paths.Pattern`."""

_Network = Annotated[str, _checked_by(lambda text: TrustedProxies([text])), _named("network")]


def _prefix(text: str) -> str:
    if not text.startswith("/") or text.endswith("/"):
        raise _mistake(f"{quoted(text)} does not begin with a slash, or ends with one", 'write it as "/_narthex"')
    if "*" in text:
        raise _mistake(f"{quoted(text)} is no plain path", "wildcards have no place here")
    return text


def _app(text: str) -> str:
    if not _APP.fullmatch(text):
        raise _mistake(
            f"{quoted(text)} does not name an app", 'write "package.module:app" or "package.module:make_app()"'
        )
    return text


def _long(secret: Secret) -> Secret:
    if len(secret.reveal()) < SHORTEST_KEY:
        raise _mistake(f"must have at least {SHORTEST_KEY} characters", "openssl rand -hex 32 makes one")
    return secret


def _use(text: str) -> str:
    if not _USE.fullmatch(text):
        raise _mistake(f"{quoted(text)} names no plugin", 'write an entry point\'s name, or "package.module:Class"')
    return text


class NarthexSettings(Settings):
    """The house itself."""

    app: Annotated[str, AfterValidator(_app)] | None = Field(
        default=None,
        examples=["shop.main:app"],
        description='The app to serve: "module:attribute", or "module:factory()" to have it made. '
        "The command line wins over it.",
    )
    store: Address = Field(
        default=Secret("sqlite:///narthex.db"),
        description='Where plugins keep what must last: "sqlite:///narthex.db" (relative to this file), '
        '"memory" (gone with the process), or "postgresql://...". With a password in it: { env = "NAME" }.',
    )
    prefix: Annotated[PathPattern, AfterValidator(_prefix)] = Field(
        default="/_narthex",
        description="Plugins have their own endpoints below this path. Begins with a slash, ends without.",
    )
    secret_key: Annotated[Secret, AfterValidator(_long)] | None = Field(
        default=None,
        examples=[{"env": "SHOP_SECRET_KEY"}],
        description="Encrypts signing keys at rest. At least 32 random characters.",
    )
    open: tuple[PathPattern, ...] = Field(
        default=(),
        examples=[["/", "/docs/**"]],
        description="Paths where credentials are optional and no policy is asked. Literal but for * (one "
        "segment) and ** (any number).",
    )
    quiet: tuple[PathPattern, ...] = Field(
        default=(),
        examples=[["/healthz", "/readyz"]],
        description="Paths without access line, span and count. Refusals, errors and audit records are never quiet.",
    )
    trusted_proxies: tuple[_Network, ...] = Field(
        default=(),
        examples=[["10.0.0.0/8", "unix"]],
        description="Addresses and networks whose Forwarded and X-Forwarded-* fields are believed; "
        '"unix" for the peer of a unix socket.',
    )
    link: Address | None = Field(
        default=None,
        examples=["redis://127.0.0.1:6379"],
        description="How processes tell each other that something changed. Unless set, the store does it.",
    )
    server: Literal["uvicorn", "hypercorn", "granian"] = Field(
        default="uvicorn", description="The server that `narthex run` starts. Its extra must be installed."
    )
    drain: Duration = Field(
        default=30.0, description="How long exchanges under way may take to end when the house stops or reloads."
    )
    strict_paths: bool = Field(
        default=True,
        description="Refuse encoded slashes, dot segments, backslashes, NUL and double slashes with 400 "
        "wherever a guard judges the path.",
    )
    expose: tuple[Literal["starlette", "headers", "client"], ...] = Field(
        default=(),
        examples=[["starlette"]],
        description='What else tells the app who asks: "starlette" sets scope["user"] and scope["auth"], '
        '"headers" sets x-narthex-subject, -roles and -session, "client" puts the address found behind trusted '
        'proxies into scope["client"].',
    )
    errors: Literal["app", "problem"] = Field(
        default="app",
        description="Who answers an exception of the app before its response started: the app's own server, "
        "or Narthex with application/problem+json.",
    )
    drive_lifespan: bool = Field(
        default=False,
        description="Drive the app's lifespan, from the first request, also where the server sends no lifespan events.",
    )
    outlive: Literal["token", "session"] = Field(
        default="token",
        description="When an open websocket or stream is ended: as its token expires, or with its session.",
    )


class PluginKeys(Settings):
    """What every plugin's table may hold beside the plugin's own keys."""

    enabled: bool = Field(default=True, description="false switches the plugin off, as if its table were not there.")
    use: Annotated[str, AfterValidator(_use)] = Field(
        default="",
        description="The plugin that this table switches on, where the table has another name: an installed "
        'plugin\'s name, or "package.module:Class".',
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce",
        description='In "shadow" what the plugin would refuse is logged and counted, and let through.',
    )
    timeout: Annotated[Duration, Field(gt=0)] = Field(
        default=5.0, description="How long one call of an async hook may take; past it a guard refuses with 503."
    )


COMMON_KEYS: Final = frozenset(PluginKeys.model_fields)
