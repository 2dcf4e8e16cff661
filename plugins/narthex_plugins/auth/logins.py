"""One login: throttled, verified, counted."""

from dataclasses import dataclass

from narthex_plugins.auth.throttle import Throttle
from narthex_plugins.auth.users import User, UserSource


@dataclass(frozen=True, slots=True)
class Wait:
    """The login was not tried.

    Attributes:
        seconds: until it may be.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The name, the password, or both are wrong, or the account may not log in; nobody is told which."""


async def log_in(
    source: UserSource, throttle: Throttle, name: str, password: str, address: str | None
) -> User | Refused | Wait:
    """Verify a name and a password, unless there have been too many failures.

    Args:
        source: has the users.
        throttle: counts failures.
        name: as it was typed.
        password: the same.
        address: the client's, None where nobody knows.

    Raises:
        DependencyError: it cannot be said now; nothing is counted.

    Cost: one verification by the source, or none where it has to wait; two reads and up to two writes of the throttle.
    """
    async with throttle.attempt(name, address) as attempt:
        if attempt.wait > 0:
            return Wait(attempt.wait)
        user = await source.verify(name, password)
        if user is None or user.disabled:
            await attempt.failed()
            return Refused()
        await attempt.succeeded()
        return user
