"""Several workers under one parent.

The first worker goes ahead alone. Only when it serves do the others follow: what is wrong with the file, the app or
a plugin is then said once, not N times, with one exit code, and the store is migrated by one process.

    spawn --"ready"--> serving --dies--> pause --> spawn ...
      |
      +--dies--> before anyone serves: everything stops, exit 2 or 3
                 while others serve:   the pause grows; an outage of the store must not end those that still answer

A spawn that fails (no process, descriptor or memory left) is a death at birth.

Each worker holds a line to the parent (a socket pair). It says "ready" on it once; its end, however the parent
died, tells the worker to stop.
"""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from narthex import config as configuration
from narthex.errors import BootError
from narthex.serve.agreement import agree, tell_each
from narthex.serve.control import Order, control
from narthex.serve.exits import Exit
from narthex.serve.following import Outcome
from narthex.serve.line import Line
from narthex.serve.messages import tell, tell_outcome
from narthex.serve.options import STOP_MARGIN, Options
from narthex.serve.stopping import Hangup

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_SETTLED = 30.0  # seconds after which a worker's death is no longer put down to its start
_REFUSALS = frozenset({Exit.USAGE, Exit.FAILED_START})


def supervise(options: Options, listener: socket.socket, text: str, workers: int, on_ready: Callable[[], None]) -> Exit:
    """Keep `workers` processes serving until SIGTERM or SIGINT.

    Args:
        options: given to every worker.
        listener: bound and not yet listening; shared by all workers.
        text: of the configuration file, the same for all workers until a reload.
        workers: how many, at least 1.
        on_ready: called once, when all of them serve.

    Returns:
        FINE after a graceful stop, FINDING where a worker had to be killed or ended badly, USAGE or FAILED_START
        where the first start failed.
    """
    return asyncio.run(_Supervisor(options, listener, text, workers).run(on_ready))


@dataclass(slots=True, eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    line: Line
    text: str
    """What it serves by."""

    async def serves(self) -> bool:
        """Wait until it says so; False when it ends first."""
        return await self.line.hear() is not None

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class _Supervisor:
    def __init__(self, options: Options, listener: socket.socket, text: str, workers: int) -> None:
        self._options = options
        self._listener = listener
        self._text = text
        self._levels: dict[str, str] = {}  # of loggers, changed since; later workers get them too
        self._reload_wanted = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._wanted = workers
        self._alive: set[_Worker] = set()
        self._serving: set[_Worker] = set()
        self._stop = asyncio.Event()
        self._hangup = Hangup()
        self._exit = Exit.FINE

    async def run(self, on_ready: Callable[[], None]) -> Exit:
        self._listen_to_signals()
        keepers: list[asyncio.Task[None]] = []
        try:
            for batch in (1, self._wanted - 1):
                events = [asyncio.Event() for _ in range(batch)]
                keepers += [self._keeper(event) for event in events]
                for event in events:
                    await self._either(event.wait())
            if not self._stop.is_set():
                on_ready()
            await self._guide()
        finally:
            self._listener.close()
            await self._end(keepers)
        return self._exit

    def _keeper(self, served: asyncio.Event) -> asyncio.Task[None]:
        keeper = asyncio.create_task(self._keep(served))
        keeper.add_done_callback(lambda _: self._stop.set())
        return keeper

    async def _keep(self, served: asyncio.Event) -> None:
        """Keep one place filled."""
        pause = 0.0
        while not self._stop.is_set():
            try:
                worker = await self._spawn()
            except (OSError, RuntimeError) as error:  # asyncio's watcher of a child is a thread, also hard to get
                if not (served.is_set() or self._serving):
                    tell(f"no worker could be started: {error}")
                    self._exit = Exit.FAILED_START
                    return
                pause = _longer(pause)
                tell(f"a worker could not be started: {error}; tried again in {pause:g} s")
                await self._either(asyncio.sleep(pause))
                continue
            born = time.monotonic()
            if await worker.serves():
                await self._welcome(worker)
                served.set()
            code = await worker.process.wait()
            self._forget(worker)
            if self._stop.is_set():
                self._judge(worker, code)
                return
            if not served.is_set() or (code in _REFUSALS and not self._serving):
                self._fail(worker, code)
                return
            pause = 0.0 if time.monotonic() - born > _SETTLED else _longer(pause)
            tell(f"worker {worker.process.pid} {_ended(code)}; started again in {pause:g} s")
            await self._either(asyncio.sleep(pause))

    async def _spawn(self) -> _Worker:
        ours, theirs = socket.socketpair()
        handed_down = (self._listener.fileno(), theirs.fileno())
        with contextlib.ExitStack() as failed, theirs, _interrupt_blocked():
            failed.callback(ours.close)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_interpreter_options(),
                "-m",
                "narthex.serve",
                self._options.dump(),
                *map(str, handed_down),
                pass_fds=handed_down,
            )
            failed.pop_all()
        worker = _Worker(process, await Line.over(ours), self._text)
        worker.line.say(configuration=worker.text)
        self._alive.add(worker)
        if self._stop.is_set():
            worker.send(signal.SIGTERM)
        return worker

    async def _guide(self) -> None:
        """Reload when SIGHUP or `narthex reload` asks for it, until the order to stop."""
        async with control(Path(self._options.config), {"reload": self._reload, "log-level": self._change_level}):
            while not self._stop.is_set():
                await self._either(self._reload_wanted.wait())
                if self._reload_wanted.is_set():
                    self._reload_wanted.clear()
                    await self._reload()

    async def _welcome(self, worker: _Worker) -> None:
        """Count it among those that serve; one that was born before a reload and served after it catches up."""
        async with self._reloading:
            if worker.text != self._text:
                outcome = await agree([worker.line], self._text)
                if outcome.refused:
                    tell(f"worker {worker.process.pid} cannot follow the others: {outcome.refused}")
                    worker.send(signal.SIGTERM)
                    return
                worker.text = self._text
            for logger, level in self._levels.items():
                await tell_each([worker.line], do="log-level", logger=logger, level=level)
            self._serving.add(worker)

    async def _reload(self, _order: Order | None = None) -> Outcome:
        """Have every worker follow what the file says now, or none."""
        async with self._reloading:
            outcome, text = await self._agree()
            if not outcome.refused:
                self._text = text
                for worker in self._serving:
                    worker.text = text
            tell_outcome(outcome.refused, outcome.words)
            return outcome

    async def _change_level(self, order: Order) -> Outcome:
        """Have every worker give a logger another level."""
        logger, level = order.get("logger"), order.get("level")
        async with self._reloading:
            outcome = await tell_each(
                [worker.line for worker in self._serving], do="log-level", logger=logger, level=level
            )
            if isinstance(logger, str) and isinstance(level, str) and not outcome.refused:
                self._levels[logger] = level
            return outcome

    async def _agree(self) -> tuple[Outcome, str]:
        path = Path(self._options.config)
        try:
            text = configuration.read_text(path)
            configuration.load(path, text=text)
        except BootError as error:
            return Outcome.refusal(error), ""
        return await agree([worker.line for worker in self._serving], text), text

    def _forget(self, worker: _Worker) -> None:
        worker.line.close()
        self._alive.discard(worker)
        self._serving.discard(worker)

    def _fail(self, worker: _Worker, code: int) -> None:
        if code in _REFUSALS:
            self._exit = Exit(code)
        else:
            tell(f"worker {worker.process.pid} {_ended(code)} before it served")
            self._exit = Exit.FAILED_START
        self._stop.set()

    def _judge(self, worker: _Worker, code: int) -> None:
        # A worker that was told to stop before its handlers stood ends by the signal itself.
        if code not in (Exit.FINE, -signal.SIGTERM) and self._exit is Exit.FINE:
            tell(f"worker {worker.process.pid} {_ended(code)} while stopping")
            self._exit = Exit.FINDING

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        """Stop every worker: politely, then after `drain` and twice the margin by force."""
        self._signal_all(signal.SIGTERM)
        if keepers:
            # The worker's own alarm comes first; this is for one that cannot even be alarmed.
            _, late = await asyncio.wait(keepers, timeout=self._options.drain + 2 * STOP_MARGIN)
            if late:
                self._signal_all(signal.SIGKILL)
                await asyncio.wait(late)
        for keeper in keepers:
            keeper.result()

    async def _either(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Wait for it, or for the order to stop."""
        tasks = {asyncio.create_task(coroutine), asyncio.create_task(self._stop.wait())}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def on_signal(number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._obey, number)

        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            signal.signal(number, on_signal)

    def _obey(self, number: int) -> None:
        if number == signal.SIGHUP and not self._hangup.terminal_is_lost():
            self._reload_wanted.set()
        elif self._stop.is_set():
            self._signal_all(signal.SIGTERM)
        else:
            self._stop.set()

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._alive:
            worker.send(number)


@contextlib.contextmanager
def _interrupt_blocked() -> Generator[None]:
    """Start a child deaf to the terminal's SIGINT, which is ours to pass on; `Stopping` opens its ears again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interpreter_options() -> list[str]:
    """As this interpreter was started; and without the current directory on the path until the app is imported.

    With it, a `secrets.py` beside the app would be imported in place of Python's own.
    """
    given = sys._xoptions  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  documented, for all its name
    named = [name if value is True else f"{name}={value}" for name, value in given.items()]
    return ["-P", *(f"-X{option}" for option in named), *(f"-W{option}" for option in sys.warnoptions)]


def _longer(pause: float) -> float:
    return min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
