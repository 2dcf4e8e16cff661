"""Supervised background tasks."""

import asyncio

import pytest

from narthex.tasks import Tasks


def test_a_task_asked_for_early_waits_for_the_start() -> None:
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    async def main() -> list[int]:
        tasks = Tasks()
        tasks.spawn(work, "work")
        await asyncio.sleep(0)
        before = len(ran)
        tasks.start()
        await asyncio.sleep(0)
        return [before, len(ran)]

    assert asyncio.run(main()) == [0, 1]


def test_a_task_that_fails_is_logged_and_run_again_and_one_that_returns_is_done(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narthex.tasks._FIRST_PAUSE", 0.001)
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise LookupError("not yet")

    async def main() -> None:
        tasks = Tasks()
        tasks.start()
        tasks.spawn(work, "plugin a: work")
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert len(runs) == 3
    assert caplog.text.count("background task plugin a: work failed") == 2


def test_stop_cancels_every_task_and_waits_for_its_clean_end() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    async def main() -> None:
        tasks = Tasks()
        tasks.start()
        for _ in range(3):
            tasks.spawn(work, "work")
        await asyncio.sleep(0)
        await tasks.stop()
        assert ended == ["ended"] * 3

    asyncio.run(main())


def test_what_was_asked_for_while_the_house_was_built_runs_in_every_life_and_the_rest_once() -> None:
    ran: list[str] = []

    async def built() -> None:
        ran.append("built")

    async def started() -> None:
        ran.append("started")

    async def main() -> None:
        tasks = Tasks()
        tasks.spawn(built, "built")
        tasks.built()
        tasks.spawn(started, "started")
        for _ in range(2):
            tasks.start()
            await asyncio.sleep(0)
            await tasks.stop()

    asyncio.run(main())
    assert ran == ["built", "started", "built"]
