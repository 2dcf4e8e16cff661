"""Decorators by which an app asks for an identity, a role or a permission itself.

A guard leaves its Deny on the exchange and raises what the app's framework takes for a refusal, so that no framework
logs a fault; the `send` wrapper then answers with the Deny, whatever the framework made of it. Put a guard *below*
the framework's route decorator: above it, the framework has already registered the bare function, and the house does
not start.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from narthex import originals
from narthex.access import lacks
from narthex.context import exchange_var
from narthex.errors import BootError, NarthexError
from narthex.exchange import Exchange
from narthex.frameworks import bare_endpoints, refusal
from narthex.identity import Identity
from narthex.services import Permissions
from narthex.verdict import Deny

P = ParamSpec("P")
R = TypeVar("R")

_ORDER = (
    "a guard goes below the route decorator, next to the function: @app.get(...), then @require_role(...), then def; "
    "a route table gets the guarded function, and no function is registered both with and without its guard"
)

in_use = False
"""Whether any function of this process is guarded; until then a pass-through need not watch the response."""


class Refused(NarthexError):
    """Raised by a guard where the framework has no refusal of its own.

    Attributes:
        deny: what the caller is answered.
    """

    code = "refused"

    def __init__(self, deny: Deny) -> None:
        super().__init__(f"{deny.code}: {deny.reason}" if deny.reason else deny.code)
        self.deny = deny


def require_auth(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse anonymous callers with 401 "authentication_required". For plain and async functions."""
    return _guarded(function, lambda _identity, _permissions: None)


def require_role(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse callers who hold none of `roles`, or one above, with 403 "role_required"."""
    _needs_words(roles, "require_role")

    def judge(identity: Identity, permissions: Permissions) -> Deny | None:
        if any(permissions.has_role(identity, role) for role in roles):
            return None
        return Deny(403, "role_required", f"{identity.subject} holds none of {', '.join(roles)}")

    return lambda function: _guarded(function, judge)


def require_permission(*permissions: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse callers who lack any of `permissions`, written `resource:action`, with 403 "permission_denied".

    Where it may have been granted and nobody can say, the refusal is a 503.
    """
    _needs_words(permissions, "require_permission")

    def judge(identity: Identity, known: Permissions) -> Deny | None:
        denials = (lacks(identity, permission, known) for permission in permissions)
        return next((deny for deny in denials if deny is not None), None)

    return lambda function: _guarded(function, judge)


def check_order(app: object) -> None:
    """See to it that the app serves no guarded function without its guard.

    Raises:
        BootError: it does; the functions are named, with file and line.
    """
    names = bare_endpoints(app)
    if names:
        raise BootError(f"served without the guard that wraps it: {', '.join(names)}", hint=_ORDER)


def raised_by_guard(error: BaseException) -> bool:
    """Whether the exception is a guard's refusal, also one wrapped in a group by a task group."""
    if isinstance(error, BaseExceptionGroup):
        return all(raised_by_guard(one) for one in cast("BaseExceptionGroup[BaseException]", error).exceptions)
    return isinstance(error, Refused) or getattr(error, "_narthex_refusal", False)


def _needs_words(words: tuple[object, ...], name: str) -> None:
    if not words or not all(isinstance(word, str) and word for word in words):
        raise TypeError(f"{name} takes one or more words, and is written with parentheses")


def _guarded(function: Callable[P, R], judge: Callable[[Identity, Permissions], Deny | None]) -> Callable[P, R]:
    global in_use  # noqa: PLW0603  one flag per process, only ever raised
    in_use = True
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def stream(*args: P.args, **kwargs: P.kwargs) -> Any:
            _enforce(judge)
            async with contextlib.aclosing(function(*args, **kwargs)) as items:
                async for item in items:
                    yield item

        wrapper: Callable[..., Any] = stream
    elif inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: P.args, **kwargs: P.kwargs) -> Any:
            _enforce(judge)
            return await function(*args, **kwargs)

        wrapper = waiting
    else:

        @functools.wraps(function)
        def plain(*args: P.args, **kwargs: P.kwargs) -> R:
            _enforce(judge)
            return function(*args, **kwargs)

        wrapper = plain
    originals.record(function, wrapper)
    return cast("Callable[P, R]", wrapper)


def _enforce(judge: Callable[[Identity, Permissions], Deny | None]) -> None:
    exchange = exchange_var.get()
    if exchange is None:
        raise Refused(Deny(401, "authentication_required", "no Narthex is in front of this code"))
    if exchange.identity is None:
        deny: Deny | None = Deny(401, "authentication_required", "the app asks for an identity")
    else:
        deny = judge(exchange.identity, exchange.permissions)
    if deny is not None:
        _refuse(exchange, deny)


def _refuse(exchange: Exchange, deny: Deny) -> None:
    exchange.refuse_inside(deny)
    error = refusal(exchange.framework, exchange.app_scope, deny) or Refused(deny)
    if not isinstance(error, Refused):
        error._narthex_refusal = True  # type: ignore[attr-defined]  # noqa: SLF001  the mark by which the walk knows it
    raise error
