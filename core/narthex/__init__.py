"""The entrance hall of an ASGI application.

from narthex import Narthex

app = Narthex(app, "narthex.toml")
"""

from narthex.app import Narthex
from narthex.config.settings import Settings
from narthex.context import current_exchange, current_identity, log_context
from narthex.errors import BootError, ContractError, DependencyError, NarthexError
from narthex.exchange import Exchange
from narthex.guards import Refused, require_auth, require_permission, require_role
from narthex.hooks import Inside, Outside, hookimpl
from narthex.house import House
from narthex.identity import Identity
from narthex.routing import AUTHENTICATED, PUBLIC, Route
from narthex.verdict import Allow, Answer, Deny

__version__ = "0.1.0"

__all__ = [
    "AUTHENTICATED",
    "PUBLIC",
    "Allow",
    "Answer",
    "BootError",
    "ContractError",
    "Deny",
    "DependencyError",
    "Exchange",
    "House",
    "Identity",
    "Inside",
    "Narthex",
    "NarthexError",
    "Outside",
    "Refused",
    "Route",
    "Settings",
    "current_exchange",
    "current_identity",
    "hookimpl",
    "log_context",
    "require_auth",
    "require_permission",
    "require_role",
]
