"""`POST {prefix}/auth/password`: who is logged in changes their own password."""

from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response

from narthex import AUTHENTICATED, Route
from narthex.context import current_exchange
from narthex.errors import ContractError, DependencyError
from narthex_plugins.auth.bodies import Unreadable, answer, fields_of, refused
from narthex_plugins.auth.logins import Refused, Wait
from narthex_plugins.auth.password_change import Changed, PasswordChange
from narthex_plugins.auth.password_rules import PasswordRefused
from narthex_plugins.auth.settings import AuthSettings


class PasswordEndpoint:
    """Serves it. Only for users of this plugin's own: another `UserSource` has its passwords elsewhere.

    Args:
        settings: the path and the issuer.
        passwords: does what is asked.

    Attributes:
        stored: whether the users are this plugin's own; set at start.
    """

    def __init__(self, settings: AuthSettings, passwords: PasswordChange) -> None:
        self.stored = True
        self._path = f"{settings.path}/password"
        self._issuer = settings.issuer
        self._passwords = passwords

    def route(self) -> Route:
        """Where, and for whom."""
        return Route(
            path=self._path,
            endpoint=self.change,
            access=AUTHENTICATED,
            methods=("POST",),
            summary="Change the caller's password.",
        )

    async def change(self, request: Request) -> Response:
        """Take `current_password` and `new_password`; every session of the user is over afterwards."""
        exchange = current_exchange()
        if exchange is None or exchange.identity is None:
            raise ContractError("an anonymous caller reached an endpoint that is not for them")
        if not self.stored or exchange.identity.issuer != self._issuer:
            return refused(400, "invalid_request", "the caller's password is kept elsewhere")
        try:
            fields = await fields_of(request)
            current, new = fields.get("current_password"), fields.get("new_password")
            if not current or not new:
                return refused(400, "invalid_request", "current_password or new_password is missing")
            return _answer(await self._passwords.change(exchange.identity.subject, current, new, exchange.client))
        except Unreadable as unreadable:
            return refused(unreadable.status, "invalid_request", str(unreadable))
        except PasswordRefused as why:
            return refused(400, "password_refused", str(why))
        except DependencyError as error:
            return refused(503, "temporarily_unavailable", error.code, retry_after=error.retry_after or 1)


def _answer(done: Changed | Refused | Wait) -> Response:
    match done:
        case Wait(seconds):
            return refused(429, "too_many_attempts", "try again later", retry_after=seconds)
        case Refused():
            return refused(400, "invalid_grant", "the current password is wrong")
        case Changed(sessions):
            return answer({"changed": True, "sessions_ended": sessions})
        case _:
            assert_never(done)
