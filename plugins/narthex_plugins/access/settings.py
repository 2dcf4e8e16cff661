"""What the `[plugins.access]` table holds."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from narthex import Settings
from narthex.config import Duration, PathPattern
from narthex_plugins.access.permissions import WORD

_ROLE: Final = re.compile(r"[^\s<]{1,100}")
_GRANT: Final = re.compile(rf"({WORD}|\*)(:({WORD}|\*))+")
_NEEDED: Final = re.compile(rf"{WORD}(:{WORD})+")


def split_chain(text: str) -> tuple[str, ...]:
    """The roles of `user < engineer < admin`, the lowest first."""
    return tuple(role.strip() for role in text.split("<"))


def _is_chain(text: str) -> str:
    for role in split_chain(text):
        if not _ROLE.fullmatch(role) or not role.isprintable():
            raise ValueError('write roles and < between them: "user < engineer < admin"')
    return text


def is_role(text: str) -> str:
    """The text, where it is one word.

    Raises:
        ValueError: it is none; says what to write.
    """
    if not _ROLE.fullmatch(text) or not text.isprintable():  # two that look alike could be told apart by nobody
        raise ValueError("a role is one word, without <, spaces and unseen characters, of at most 100 characters")
    return text


def is_grant(text: str) -> str:
    """The text, where it is a permission or a pattern of them.

    Raises:
        ValueError: it is neither; says what to write.
    """
    if len(text) > 200 or not _GRANT.fullmatch(text):
        raise ValueError('a permission is words joined by :, the last one the action, * for one word: "orders:*"')
    return text


def _is_needed(text: str) -> str:
    if len(text) > 200 or not _NEEDED.fullmatch(text):
        raise ValueError('a rule needs one permission, words joined by : and no *: "orders:write"')
    return text


Role = Annotated[str, AfterValidator(is_role)]
Grant = Annotated[str, AfterValidator(is_grant)]
_Needed = Annotated[str, AfterValidator(_is_needed)]
_Scalar = str | bool | int | float
_Claim = _Scalar | tuple[_Scalar, ...] | dict[str, _Scalar | tuple[_Scalar, ...]]
_Route = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*[^*{}?#/]$")]


class RuleSettings(Settings):
    """One rule: which requests it speaks of, and what it needs."""

    path: PathPattern = Field(
        examples=["/admin/**"], description="Which paths: literal but for * (one segment) and ** (any number)."
    )
    methods: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z-]*$")], ...] = Field(
        default=(),
        examples=[["POST", "DELETE"]],
        description="Which methods; GET brings HEAD, WEBSOCKET is a websocket. Empty for all of them.",
    )
    access: Literal["deny", "authenticated", "allow"] | None = Field(
        default=None,
        examples=["authenticated"],
        description="For everybody alike: nobody may, whoever has an identity may, anybody may. The first and the "
        "last stand alone.",
    )
    roles: tuple[Role, ...] = Field(
        default=(), examples=[["engineer"]], description="The caller has one of these roles, or one above."
    )
    permissions: tuple[_Needed, ...] = Field(
        default=(), examples=[["orders:write"]], description="The caller has every one of these permissions."
    )
    claims: dict[str, _Claim] = Field(
        default={},
        examples=[{"department": ["sales", "support"]}],
        description="What the token says: claim to the value it has, or to a list of which it has one.",
    )

    @model_validator(mode="after")
    def _needs_something(self) -> "RuleSettings":
        some = bool(self.roles or self.permissions or self.claims)
        if not some and self.access is None:
            raise ValueError("a rule needs something: `access`, `roles`, `permissions` or `claims`")
        if some and self.access in ("deny", "allow"):
            raise ValueError(f'`access = "{self.access}"` is for everybody alike, so nothing else may be needed')
        for name in ("methods", "roles", "permissions"):
            if name in self.model_fields_set and not getattr(self, name):
                raise ValueError(f"`{name}` is empty; leave it out")
        if any(wanted in ((), {}) for wanted in self.claims.values()):
            raise ValueError("a claim is compared with nothing; no token could meet that")
        return self


class AccessSettings(Settings):
    """Who may do what: rules by path, the order of roles, and what each role may."""

    default: Literal["deny", "authenticated", "allow"] = Field(
        default="deny",
        description="Where no rule speaks of a request: nobody may, whoever has an identity may, or anybody may.",
    )
    rules: tuple[RuleSettings, ...] = Field(
        default=(), description="The rules. Their order means nothing: the narrower one overrules the wider one."
    )
    hierarchy: tuple[Annotated[str, AfterValidator(_is_chain)], ...] = Field(
        default=("user < engineer < admin",),
        examples=[["user < engineer < admin", "auditor < admin"]],
        description="The order of roles: each holds all that stand before it. One alone only makes a role known.",
    )
    unlimited: tuple[Role, ...] = Field(
        default=("admin",), description="Roles that have every permission, and with them the roles above."
    )
    grants: dict[Role, tuple[Grant, ...]] = Field(
        default={},
        examples=[{"user": ["orders:read"], "engineer": ["orders:*"]}],
        description="What each role may, beside what the roles below it may; * stands for one word.",
    )
    stale: Annotated[Duration, Field(ge=5)] = Field(
        default=60.0,
        description="How long the store's grants hold where the store does not answer; past it only the file's do.",
    )
    path: _Route = Field(default="/access", description="Path of the endpoints for grants, below `prefix`.")
    explain: _Route = Field(default="/explain", description="Path of the endpoint that explains, below `prefix`.")
    provide: bool = Field(
        default=True,
        description="Say who may what to plugins' endpoints and decorators too. Of several instances, in one.",
    )
