"""Who an account's owner would be, for those who ask about a request that nobody sends."""

from sqlalchemy import Connection

from narthex import Identity
from narthex_plugins.auth.accounts import Accounts
from narthex_plugins.auth.names import canonical


class AccountDirectory:
    """The accounts in the store, as core's service `Directory`.

    Args:
        instance: the plugin's.
        issuer: of the tokens that its accounts get.
    """

    def __init__(self, instance: str, issuer: str) -> None:
        self._accounts = Accounts(instance)
        self._issuer = issuer

    def find(self, connection: Connection, name: str) -> Identity | None:
        """The identity that a login by this name would have; None for nobody, and for a disabled account."""
        account = self._accounts.named(connection, canonical(name) or "")
        if account is None or account.disabled:
            return None
        return Identity(
            subject=account.subject,
            issuer=self._issuer,
            roles=account.roles,
            permissions=account.permissions,
            via="account",
        )
