"""What the list of revocations costs: bytes an entry, the peak while it grows, a check with 1,000 and with 1,000,000.

    python -m benchmarks.revocations

Names are 22 characters long, as a `jti` of the plugin auth is. Bytes are those that the allocator was asked for, by
tracemalloc; the resident set is the system's view of the same. What is timed is the whole stage `vet` with the plugin
as its only step, 20,000 callers in turn, none of them on the list: the usual case, and the dearest. The time is the
processor's, and the best of the rounds: others who use the machine are not measured.
"""

import asyncio
import gc
import resource
import secrets
import time
import tracemalloc
from tempfile import TemporaryDirectory

from narthex import Identity
from narthex.events import EventBus
from narthex.metrics import Metrics
from narthex.plan import Step
from narthex.stages import StageRunner, settled
from narthex.tasks import Tasks
from narthex.testing import Client, an_exchange
from narthex_plugins.revocation import Revocation as Plugin
from narthex_plugins.revocation.entries import Entries, Kind, Revocation

DAY = 86_400.0
PAGE = 5000
ROUNDS, CHECKS = 25, 20_000


def rows(count: int, kind: Kind, now: float) -> "list[Revocation]":
    """So many entries with names of their own."""
    return [
        Revocation(
            version=number,
            kind=kind,
            name=secrets.token_urlsafe(16),
            issuer="https://shop.example",
            cut=now if kind == "subject" else None,
            expires=now + number % 86_400 if kind == "token" else None,
            at=now,
            by=None,
            reason="",
        )
        for number in range(count)
    ]


def filled(count: int, kind: Kind, now: float) -> Entries:
    """A list, filled by pages as a process fills its own."""
    entries = Entries(DAY)
    left = count
    while left > 0:
        entries.add(rows(min(PAGE, left), kind, now))
        left -= PAGE
    return entries


def memory(count: int, kind: Kind, now: float) -> tuple[float, float]:
    """Bytes an entry, at rest and at the peak while the list was filled."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    entries = filled(count, kind, now)
    gc.collect()
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(entries) == count
    return (current - before) / count, (peak - before) / count


def vet(count: int, now: float) -> float:
    """Seconds of the stage `vet` with a list of so many tokens, by a house on SQLite; the best of rounds."""
    with TemporaryDirectory() as directory:
        config = {"narthex": {"store": f"sqlite:///{directory}/narthex.db"}, "plugins": {"revocation": {}}}
        with Client(None, config) as client:
            plugin = client.house.guests[0].plugin
            assert isinstance(plugin, Plugin)
            left = count
            while left > 0:
                plugin._entries.add(rows(min(PAGE, left), "token", now))  # noqa: SLF001  as a look would
                left -= PAGE
            step = Step(plugin.vet, "revocation", "revocation", "vet", is_async=True, timeout=5.0)
            return client.run(_rounds(StageRunner(EventBus(Tasks()), Metrics()), step, now))


async def _rounds(runner: StageRunner, step: Step, now: float) -> float:
    asked = [
        an_exchange(
            identity=Identity(
                subject="alice", issuer="https://shop.example", token_id=secrets.token_urlsafe(16), issued_at=now
            )
        )
        for _ in range(CHECKS)
    ]
    took: list[float] = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for exchange in asked:
            if await settled(runner.guard(exchange, (step,), forgive=False)) is not None:
                raise AssertionError("a good token was refused")
        took.append((time.thread_time() - start) / CHECKS)
        await asyncio.sleep(0.05)  # the house looks at its list meanwhile
    return min(took)


def main() -> None:
    """Print the figures."""
    now = time.time()
    few, many = vet(1_000, now), vet(1_000_000, now)
    print(f"vet, 1,000 entries      {few * 1e9:7.0f} ns")
    print(f"vet, 1,000,000 entries  {many * 1e9:7.0f} ns  x{many / few:.2f}")
    kinds: tuple[Kind, ...] = ("token", "session", "subject")
    for kind in kinds:
        rest, peak = memory(1_000_000, kind, now)
        print(f"{kind:<8} 1,000,000 entries  {rest:5.0f} bytes each, {peak:5.0f} at the peak while it is filled")
    print(f"resident at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
