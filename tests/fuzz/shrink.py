"""Making a failing case small: leave out one thing after the other for as long as the same fault shows."""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzz.case import Case, Plan

_DULL: dict[str, Any] = {"on_error": "raise", "on_cancel": "raise", "server": ("kind", 0), "pace": 0}
_NEEDED = {"type", "path", "headers", "method"}
TRIES = 2000


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case found that still fails."""
    tries = TRIES
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(case):
            tries -= 1
            if tries < 0:
                return case
            if fails(copy.deepcopy(smaller)):
                case, progress = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Every case with one thing less, the largest things first."""
    yield from _fewer_seats(case)
    for key in list(case.acts):
        yield dataclasses.replace(case, acts={one: act for one, act in case.acts.items() if one != key})
    for at in list(case.events):
        yield dataclasses.replace(case, events={one: what for one, what in case.events.items() if one != at})
    for app in _shorter(case.app):
        yield dataclasses.replace(case, app=app)
    for incoming in _shorter(case.incoming):
        yield dataclasses.replace(case, incoming=incoming)
    for name, dull in _DULL.items():
        if getattr(case, name) != dull:
            yield dataclasses.replace(case, **{name: dull})
    for number in range(len(case.plan.settings)):
        kept_settings = case.plan.settings[:number] + case.plan.settings[number + 1 :]
        yield dataclasses.replace(case, plan=dataclasses.replace(case.plan, settings=kept_settings))
    yield from _plainer_scopes(case)


def _fewer_seats(case: Case) -> Iterator[Case]:
    """Seats have numbers, so that those behind the one that goes move up."""
    for gone in range(len(case.plan.seats)):
        seats = case.plan.seats[:gone] + case.plan.seats[gone + 1 :]
        acts = {(number - (number > gone), hook): act for (number, hook), act in case.acts.items() if number != gone}
        yield dataclasses.replace(case, plan=Plan(seats, case.plan.settings), acts=acts)
    for number, seat in enumerate(case.plan.seats):
        for simpler in ({"waits": False}, {"shadow": False}, {"hooks": seat.hooks[:1]}):
            new = dataclasses.replace(seat, **simpler)
            if new != seat:
                seats = (*case.plan.seats[:number], new, *case.plan.seats[number + 1 :])
                yield dataclasses.replace(case, plan=Plan(seats, case.plan.settings))


def _plainer_scopes(case: Case) -> Iterator[Case]:
    for key in case.scope:
        if key not in _NEEDED:
            yield dataclasses.replace(case, scope={one: value for one, value in case.scope.items() if one != key})
    for kept in _shorter(list(case.scope["headers"])):
        yield dataclasses.replace(case, scope={**case.scope, "headers": kept})
    for key, plain in (("path", "/"), ("method", "GET"), ("extensions", {})):
        if key in case.scope and case.scope[key] != plain:
            yield dataclasses.replace(case, scope={**case.scope, key: plain})


def _shorter(items: list[Any]) -> Iterator[list[Any]]:
    for at in range(len(items)):
        yield items[:at] + items[at + 1 :]
