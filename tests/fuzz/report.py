"""Saying what went wrong: the case made small, printed so that it can be read and typed in again."""

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from narthex.asgi import Message
from tests.fuzz.case import Case
from tests.fuzz.generate import case as generate
from tests.fuzz.play import TAG, Play
from tests.fuzz.shrink import shrink
from tests.fuzz.stage import Stage


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage that is cleared at the end."""
    made = Stage()
    try:
        yield made
    finally:
        made.close()


def sort_of(fault: str) -> str:
    """The fault without what differs from case to case, so that the same fault is known again."""
    return re.sub(r"\d+|b?'[^']*'", "#", fault)[:60]


def shrunk(case: Case, fault: str) -> Case:
    """The smallest case that shows the same sort of fault."""
    wanted = sort_of(fault)
    return shrink(case, lambda one: any(sort_of(found) == wanted for found in play_alone(one).faults))


def play_alone(case: Case) -> Play:
    """Play one case in houses of its own."""
    with stage() as own:
        try:
            return own.play(case)
        except Exception as error:  # noqa: BLE001  a case that shrank to nonsense shows no fault of the house
            play = Play(case, own.loop)
            play.fault(f"the case cannot be played: {error!r}")
            return play


def replay(seed: int, number: int, say: Callable[[str], None]) -> bool:
    """Play case `number` of `seed` again and show it, small; True if all was well."""
    play = play_alone(generate(seed, number))
    for line in show(play):
        say(line)
    if not play.faults:
        return True
    say(f"\nshrunk, for {play.faults[0]!r}:")
    small = shrunk(generate(seed, number), play.faults[0])
    for line in show(play_alone(copy.deepcopy(small))):
        say(line)
    return False


def show(play: Play) -> Iterator[str]:
    """Everything about a case, a line each."""
    case = play.case
    for number, seat in enumerate(case.plan.seats):
        acts = {hook: act for (one, hook), act in case.acts.items() if one == number}
        manner = ", ".join(word for word, on in (("async", seat.waits), ("shadow", seat.shadow)) if on)
        how = f"({manner}, {seat.timeout} s) " if manner else ""
        yield f"  seat {number}  {' '.join(seat.hooks)} {how}{acts or ''}"
    yield f"  settings {dict(case.plan.settings)}"
    yield f"  scope    {_short(case.scope)}"
    yield f"  incoming {case.incoming}"
    yield f"  app      {case.app}"
    yield f"  events   {case.events}, server {case.server}, pace {case.pace:#x}"
    yield f"  on error {case.on_error}, on cancel {case.on_cancel}"
    for message in play.told:
        yield f"  -> {'app  ' if TAG in message else 'house'} {_short(_untagged(message))}"
    task = play.task
    if task is not None and task.done():
        ending = "cancelled" if task.cancelled() else repr(task.exception())
        yield f"  ended with {ending}"
    for fault in play.faults:
        yield f"  FAULT {fault}"


def _untagged(message: Message) -> Message:
    return {key: value for key, value in message.items() if key != TAG}


def _short(value: object) -> str:
    words = repr(value)
    return words if len(words) < 1500 else f"{words[:1500]}..."
