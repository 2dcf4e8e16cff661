"""Faults planted in the core, each of which the fuzz has to find: each breaks one promise, and the rest still works.

They are planted where the core has a name for it that other tests rely on too: stages, responses, the register of
exchanges, the scope that the app gets.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest

from narthex import dress, responses, stages
from narthex.exchange import Exchange
from narthex.stages import StageRunner, settled

Plant = Callable[[pytest.MonkeyPatch], None]
FAULTS: Final[dict[str, Plant]] = {}


def _planted(name: str) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        FAULTS[name] = plant
        return plant

    return keep


@_planted("a guard that raises lets pass")
def _fail_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StageRunner, "_fault", lambda *_: None)


@_planted("a Deny is heard only of a guard that stands alone")
def _deaf(patch: pytest.MonkeyPatch) -> None:
    guard = StageRunner.guard

    async def alone(self: StageRunner, exchange: Exchange, steps: Any, *, forgive: bool) -> Any:
        verdict = await settled(guard(self, exchange, steps, forgive=forgive))
        return verdict if len(steps) == 1 else None

    patch.setattr(StageRunner, "guard", alone)


@_planted("any 401 is forgiven")
def _lenient(patch: pytest.MonkeyPatch) -> None:
    guard = StageRunner.guard
    patch.setattr(
        StageRunner, "guard", lambda self, exchange, steps, forgive: guard(self, exchange, steps, forgive=True)
    )


@_planted("silence of all policies allows")
def _silence(patch: pytest.MonkeyPatch) -> None:
    policies = StageRunner.policies

    async def silent(self: StageRunner, exchange: Exchange, steps: Any, *, known: bool) -> Any:
        verdict = await settled(policies(self, exchange, steps, known=known))
        return None if getattr(verdict, "code", "") in {"not_allowed", "authentication_required"} else verdict

    patch.setattr(StageRunner, "policies", silent)


@_planted("a witness that fails is not heard")
def _unrecorded(patch: pytest.MonkeyPatch) -> None:
    witness = StageRunner.witness

    async def deaf(self: StageRunner, exchange: Exchange, steps: Any) -> bool:
        await witness(self, exchange, steps)
        return True

    patch.setattr(StageRunner, "witness", deaf)


@_planted("an observer that raises keeps the others from seeing")
def _first_only(patch: pytest.MonkeyPatch) -> None:
    failed = StageRunner._failed

    def raising(self: StageRunner, step: Any, exchange: Exchange, error: BaseException) -> None:
        failed(self, step, exchange, error)
        if step.hook == "observe":
            raise error

    patch.setattr(StageRunner, "_failed", raising)


@_planted("observers are lost where the exchange is cancelled")
def _unobserved(patch: pytest.MonkeyPatch) -> None:
    observe = StageRunner.observe

    async def lost(self: StageRunner, exchange: Exchange, steps: Any) -> None:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await observe(self, exchange, steps)

    at_once = StageRunner.observe_at_once

    def lost_at_once(self: StageRunner, exchange: Exchange, steps: Any) -> None:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            at_once(self, exchange, steps)

    patch.setattr(StageRunner, "observe", lost)
    patch.setattr(StageRunner, "observe_at_once", lost_at_once)


@_planted("a cancellation counts as a hook's fault")
def _swallowed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages, "_is_cancelled", lambda: False)


@_planted("any header can be sent")
def _injected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages, "sendable", lambda *_: True)
    patch.setattr(responses, "sendable", lambda *_: True)


@_planted("a refusal tells its reason")
def _talkative(patch: pytest.MonkeyPatch) -> None:
    refusal = responses.refusal

    def telling(exchange: Exchange, deny: Any) -> Any:
        status, headers, body = refusal(exchange, deny)
        said = body + deny.reason.encode()
        fields = [(name, value) for name, value in headers if name != b"content-length"]
        return status, [*fields, (b"content-length", str(len(said)).encode())], said

    patch.setattr(responses, "refusal", telling)


@_planted("a refusal has another length than it says")
def _short(patch: pytest.MonkeyPatch) -> None:
    body = responses.body
    patch.setattr(responses, "body", lambda kind, content: body(kind, content[:-1]))


@_planted("a refusal has no end")
def _endless(patch: pytest.MonkeyPatch) -> None:
    body = responses.body
    patch.setattr(responses, "body", lambda kind, content: {**body(kind, content), "more_body": True})


@_planted("the app gets the caller's own dict to dress")
def _worn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dress, "dict", lambda scope: scope, raising=False)
