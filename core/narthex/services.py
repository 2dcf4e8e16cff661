"""Protocols that plugins offer each other, and the registry that joins them.

A plugin provides an object under a Protocol, another asks for the Protocol; neither imports the other.
"""

from typing import Protocol, TypeVar, cast

from narthex.errors import BootError, ContractError
from narthex.identity import Identity

S = TypeVar("S")


class Permissions(Protocol):
    """Answers what an identity may. Offered by the access plugin; without it `CorePermissions` holds."""

    def has_role(self, identity: Identity, role: str) -> bool:
        """Whether the identity holds `role` or one above it."""
        ...

    def has_permission(self, identity: Identity, permission: str) -> bool:
        """Whether the identity holds `permission`, written `resource:action`."""
        ...


class CorePermissions:
    """The order user < engineer < admin; admin has every permission; everything else compares literally."""

    _order = ("user", "engineer", "admin")

    def has_role(self, identity: Identity, role: str) -> bool:
        """Whether the identity holds `role` or one above it. Cost: one set lookup, at most three."""
        if role in identity.roles:
            return True
        if role not in self._order:
            return False
        above = self._order[self._order.index(role) + 1 :]
        return not identity.roles.isdisjoint(above)

    def has_permission(self, identity: Identity, permission: str) -> bool:
        """Whether the identity is an admin or holds exactly this permission."""
        return permission in identity.permissions or "admin" in identity.roles


class Services:
    """Who offers what. Plugins provide while they are built, and ask from `start` on."""

    def __init__(self) -> None:
        self._offers: dict[type, dict[str, object]] = {}
        self.complete = False

    def provide(self, protocol: type, service: object, instance: str) -> None:
        """Offer `service` under `protocol` in the name of the plugin instance."""
        if self.complete:
            raise ContractError(
                f"{instance} offers {protocol.__name__} too late", hint="call house.provide in __init__"
            )
        self._offers.setdefault(protocol, {})[instance] = service

    def service(self, protocol: type[S], instance: str | None, asker: str) -> S | None:
        """The one offer, or that of the named instance, or None where nobody offers.

        Raises:
            BootError: several offer it and none was named, or the named one does not.
            ContractError: asked before every plugin was built.
        """
        if not self.complete:
            raise ContractError(
                f"{asker} asks for {protocol.__name__} before every plugin is built",
                hint="ask in `start` or later",
            )
        offers = self._offers.get(protocol, {})
        if instance is not None:
            if instance not in offers:
                raise BootError(f"{asker} wants {protocol.__name__} of {instance!r}, which does not offer it")
            return cast("S", offers[instance])
        if len(offers) > 1:
            names = ", ".join(sorted(offers))
            raise BootError(
                f"{asker} needs one {protocol.__name__} and {names} offer it", hint="name the instance to use"
            )
        return cast("S", next(iter(offers.values()))) if offers else None
