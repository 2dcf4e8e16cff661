"""What plugins offer one another, and core's own answer to who may what."""

import asyncio
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex import BootError, ContractError, House, Identity, Narthex, hookimpl
from narthex.services import CorePermissions, Permissions, Services
from narthex.testing import config, request
from tests.apps import Hello
from tests.guests import NoSettings, offer, seat


class Greeter(Protocol):
    """Greets."""

    def greet(self) -> str: ...


class Polite:
    def greet(self) -> str:
        return "good evening"


def offers(*instances: str) -> Services:
    services = Services()
    for instance in instances:
        services.provide(Greeter, Polite(), instance)
    services.complete = True
    return services


def test_the_only_offer_needs_no_name_and_none_is_none() -> None:
    found = offers("a").service(Greeter, None, "me")  # type: ignore[type-abstract]  # a Protocol is the key
    assert found is not None
    assert found.greet() == "good evening"
    assert offers().service(Greeter, None, "me") is None  # type: ignore[type-abstract]


def test_of_several_offers_the_consumer_names_one() -> None:
    services = offers("a", "b")
    assert services.service(Greeter, "b", "me") is not None  # type: ignore[type-abstract]
    with pytest.raises(BootError, match="me needs one Greeter and a, b offer it"):
        services.service(Greeter, None, "me")  # type: ignore[type-abstract]
    with pytest.raises(BootError, match="'c', which does not offer it"):
        services.service(Greeter, "c", "me")  # type: ignore[type-abstract]


def test_offers_are_made_while_the_house_is_built_and_asked_for_after() -> None:
    services = Services()
    with pytest.raises(ContractError, match="before every plugin is built"):
        services.service(Greeter, None, "me")  # type: ignore[type-abstract]
    services.complete = True
    with pytest.raises(ContractError, match="too late"):
        services.provide(Greeter, Polite(), "me")


def test_a_plugin_finds_at_its_start_what_a_later_one_offers() -> None:
    found: list[Any] = []

    class Asking:
        name = "asking"
        Settings = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None:
            self._house = house

        @hookimpl
        def start(self) -> None:
            found.append(self._house.service(Greeter))

    class Offering:
        name = "offering"
        Settings = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None:
            house.provide(Greeter, self)

    house = Narthex(Hello(), config(a=seat(Asking), b=seat(Offering)))
    asyncio.run(request(house, "GET", "/"))
    assert type(found[0]) is Offering


def test_a_plugin_that_offers_permissions_answers_for_decorators_and_routes() -> None:
    class Open:
        name = "open"
        Settings = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None:
            house.provide(Permissions, self)

        def has_role(self, identity: Identity, role: str) -> bool:
            return True

        def has_permission(self, identity: Identity, permission: str) -> bool:
            return True

    assert type(Narthex(Hello(), config(o=seat(Open)))._walk.built.tenancy.permissions()) is Open
    assert type(Narthex(Hello(), config(o=offer()))._walk.built.tenancy.permissions()) is CorePermissions


ORDER = ("user", "engineer", "admin")


@given(held=st.sets(st.sampled_from([*ORDER, "other"])), wanted=st.sampled_from(ORDER))
def test_core_roles_are_ordered_and_everything_else_compares_literally(held: set[str], wanted: str) -> None:
    who = Identity(subject="alice", roles=frozenset(held))
    high = max((ORDER.index(role) for role in held if role in ORDER), default=-1)
    assert CorePermissions().has_role(who, wanted) == (high >= ORDER.index(wanted))
    assert CorePermissions().has_role(who, "other") == ("other" in held)


@pytest.mark.parametrize("asked", ["orders:*", "orders", "orders:read:x", "Orders:read", "*", ""])
def test_core_permissions_know_no_wildcards(asked: str) -> None:
    who = Identity(subject="alice", permissions=frozenset({"orders:read"}), roles=frozenset({"engineer"}))
    assert CorePermissions().has_permission(who, "orders:read")
    assert not CorePermissions().has_permission(who, asked)
    assert CorePermissions().has_permission(Identity(subject="ada", roles=frozenset({"admin"})), "any:thing")
