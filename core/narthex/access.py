"""Who may call a plugin's endpoint: what its route declares, enforced in place of `authorize`."""

import re

from narthex.errors import DependencyError
from narthex.exchange import Exchange
from narthex.identity import Identity
from narthex.plan import Taken
from narthex.routing import AUTHENTICATED, PUBLIC
from narthex.services import Permissions
from narthex.verdict import Deny

# One word of a permission. A path parameter that is not one word could ask for another permission than was meant:
# with `canvas:{collection}:read`, a collection called `*` or `a:b` must not reach the comparison.
_WORD = re.compile(r"[\w.@~+-]+")


def judge(exchange: Exchange, taken: Taken, permissions: Permissions) -> Deny | None:
    """Refuse a caller who lacks what the endpoint's route asks for.

    Returns:
        None; or Deny(401, "authentication_required"), Deny(403, "permission_denied"), or Deny(503) with the code of
        what cannot be asked, where it may have been granted.
    """
    access = taken.route.access
    if access == PUBLIC:
        return None
    identity = exchange.identity
    if identity is None:
        return Deny(401, "authentication_required", f"{taken.path} needs an identity")
    if access == AUTHENTICATED:
        return None
    values = {name: str(value) for name, value in taken.params.items() if f"{{{name}}}" in access}
    if any(not _WORD.fullmatch(value) for value in values.values()):
        return Deny(403, "permission_denied", "a path parameter is not one word of a permission")
    needed = access.format(**values)
    return lacks(identity, needed, permissions)


def lacks(identity: Identity, permission: str, permissions: Permissions) -> Deny | None:
    """The refusal for want of a permission: 403, or 503 where nobody can say; None where it is held."""
    try:
        held = permissions.has_permission(identity, permission)
    except DependencyError as error:
        reason = f"{identity.subject} lacks {permission}, but {error}"
        return Deny(503, error.code, reason, retry_after=error.retry_after)
    return None if held else Deny(403, "permission_denied", f"{identity.subject} lacks {permission}")


def wrong_method(allowed: tuple[str, ...]) -> Deny:
    """The path is a plugin's, but not for this method (RFC 9110 §15.5.6)."""
    fields = ((b"allow", ", ".join(allowed).encode()),)
    return Deny(405, "method_not_allowed", headers=fields)
