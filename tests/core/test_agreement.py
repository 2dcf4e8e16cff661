"""All workers follow another configuration or none does, whatever one of them answers, or does not."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from narthex.serve import agreement
from narthex.serve.agreement import agree
from narthex.serve.following import Outcome
from narthex.serve.line import Line, dump, hear_first

Answers = dict[str, dict[str, Any] | float]
"""What a worker says to each order; a number: nothing, for so many seconds; no entry: it ends."""
FINE: Answers = {"prepare": {"digest": "new"}, "commit": {"digest": "new", "added": ["n"]}, "abandon": {}}
REFUSES: Answers = {**FINE, "prepare": {"refused": "no", "exit": 2}}


class Worker:
    """The other end of a line."""

    def __init__(self, answers: Answers) -> None:
        self.orders: list[dict[str, Any]] = []
        self._answers = answers

    async def live(self, line: Line) -> None:
        while (order := await line.hear()) is not None:
            self.orders.append(order)
            answer = self._answers.get(order["do"])
            if answer is None:
                line.close()
                return
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                answer = {"refused": "late"}
            line.say(id=order["id"], **answer)

    @property
    def told(self) -> list[str]:
        return [order["do"] for order in self.orders]


def among(workers: Sequence[Worker], do: Callable[[Sequence[Line]], Awaitable[Outcome]]) -> Outcome:
    """Do something with the lines to these workers."""

    async def main() -> Outcome:
        async with AsyncExitStack() as stack:
            lines: list[Line] = []
            for worker in workers:
                ours, theirs = socket.socketpair()
                lines.append(await Line.over(ours))
                end = await Line.over(theirs)
                living = asyncio.create_task(worker.live(end))
                stack.callback(living.cancel)
                stack.callback(end.close)
                stack.callback(lines[-1].close)
            return await do(lines)

    return asyncio.run(main())


def agreed(*answers: Answers, text: str = "") -> tuple[Outcome, list[Worker]]:
    workers = [Worker(one) for one in answers]
    return among(workers, lambda lines: agree(lines, text)), workers


def test_when_all_are_prepared_all_commit() -> None:
    outcome, workers = agreed(FINE, FINE)
    assert outcome == Outcome(digest="new", added=["n"])
    assert [worker.told for worker in workers] == [["prepare", "commit"]] * 2


def test_when_one_refuses_all_abandon_and_its_reason_is_told() -> None:
    outcome, workers = agreed(FINE, REFUSES)
    assert (outcome.refused, outcome.exit) == ("no", 2)
    assert [worker.told for worker in workers] == [["prepare", "abandon"]] * 2


def test_workers_that_read_different_configurations_follow_none() -> None:
    outcome, workers = agreed(FINE, {**FINE, "prepare": {"digest": "other"}})
    assert (outcome.refused[:42], outcome.exit) == ("the workers read different configurations:", 2)
    assert [worker.told for worker in workers] == [["prepare", "abandon"]] * 2


def test_one_that_ends_on_the_way_is_left_out() -> None:
    outcome, workers = agreed({}, FINE)
    assert outcome.digest == "new"
    assert [worker.told for worker in workers] == [["prepare"], ["prepare", "commit"]]


def test_one_that_refuses_the_commit_is_on_its_way_out() -> None:
    outcome, _ = agreed({**FINE, "commit": {"refused": "I am stopping"}}, FINE)
    assert outcome == Outcome(digest="new", added=["n"])


def test_without_anybody_whoever_comes_next_follows_the_new_one() -> None:
    assert agreed()[0] == Outcome()


def test_one_that_is_late_is_a_refusal_and_its_answer_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "_PATIENCE", 0.05)
    worker = Worker({**FINE, "prepare": 0.3})

    async def both(lines: Sequence[Line]) -> Outcome:
        late = await agree(lines, "")
        assert late.refused == "a worker did not answer within 0.05 s"
        monkeypatch.setattr(agreement, "_PATIENCE", 30.0)
        answer = await lines[0].ask(do="commit")
        assert answer is not None
        return Outcome.heard(answer)

    assert among([worker], both) == Outcome(digest="new", added=["n"])
    assert worker.told == ["prepare", "abandon", "commit"]


def test_a_long_configuration_arrives_whole() -> None:
    text = "#" * 1024 * 1024
    outcome, (worker,) = agreed(FINE, text=text)
    assert (outcome.digest, worker.orders[0]["text"] == text) == ("new", True)


def test_half_a_message_is_none() -> None:
    async def main() -> object:
        ours, theirs = socket.socketpair()
        line = await Line.over(ours)
        with theirs:
            theirs.sendall(b'{"id": 1}')
        heard = await line.hear()
        line.close()
        return heard

    assert asyncio.run(main()) is None


@pytest.mark.parametrize("sent", [b"", b'{"configuration": "'])
def test_a_worker_whose_parent_is_gone_before_its_first_word_is_told_so(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(sent)
        with pytest.raises(EOFError):
            hear_first(ours)


def test_the_first_word_may_come_in_parts() -> None:
    text = {"configuration": "#" * 10_000}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        theirs.sendall(dump(text))
        assert hear_first(ours) == json.loads(dump(text))
