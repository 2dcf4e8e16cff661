"""All workers follow another configuration, or none does: prepare everywhere, then commit everywhere.

    prepare   each builds it beside the old one and starts what is new     one that refuses, or is late: abandon
    commit    each swaps one reference, which cannot fail

A worker that dies on the way is left out: its successor is given whatever the others follow by then.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from narthex.serve.exits import Exit
from narthex.serve.following import Outcome
from narthex.serve.line import Line

_PATIENCE: Final = 60.0  # seconds for a worker to start what is new in a configuration


async def agree(lines: Sequence[Line], text: str) -> Outcome:
    """Have the workers at the ends of these lines follow the configuration of this text, or none of them."""
    prepared = _first_refusal(await _ask(lines, do="prepare", text=text))
    if prepared.refused:
        await _ask(lines, do="abandon")
        return prepared
    committed = await _ask(lines, do="commit")
    # One that refuses now is on its way out.
    return _first_refusal([outcome for outcome in committed if not outcome.refused] or committed)


async def tell_each(lines: Sequence[Line], **order: object) -> Outcome:
    """Have the workers at the ends of these lines carry out an order that each can do for itself."""
    return _first_refusal(await _ask(lines, **order))


async def _ask(lines: Sequence[Line], **order: object) -> list[Outcome]:
    answers = await asyncio.gather(*(_in_time(line, order) for line in lines))
    return [Outcome.heard(answer) for answer in answers if answer is not None]


async def _in_time(line: Line, order: dict[str, object]) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await line.ask(**order)
    except TimeoutError:
        return {"refused": f"a worker did not answer within {_PATIENCE:g} s", "exit": Exit.FAILED_START}


def _first_refusal(outcomes: Sequence[Outcome]) -> Outcome:
    """What the workers say together; without any, nobody has begun, and whoever does will follow the new one."""
    refused = next((outcome for outcome in outcomes if outcome.refused), None)
    if refused is not None:
        return refused
    if len({outcome.digest for outcome in outcomes}) > 1:
        return Outcome(
            refused="the workers read different configurations: has a secret changed meanwhile?", exit=Exit.USAGE
        )
    return outcomes[0] if outcomes else Outcome()
