"""How the process is: read about once a second, off the path of any request."""

import os
import platform
import time
from pathlib import Path
from typing import Final, Literal

from narthex import House, __version__

_STATM: Final = Path("/proc/self/statm")


def watch(house: House) -> None:
    """Have them read."""
    metrics = house.metrics
    metrics.gauge("narthex_processes", "Processes that serve.").watch(lambda: 1.0)
    metrics.gauge("narthex_build_info", "What runs; always 1.", ("version", "python"), over="max").watch(
        lambda: 1.0, __version__, platform.python_version()
    )
    in_flight = metrics.gauge("narthex_exchanges_in_flight", "Exchanges under way.", ("kind",))
    in_flight.watch(lambda: _under_way(house, "http"), "http")
    in_flight.watch(lambda: _under_way(house, "websocket"), "websocket")
    metrics.counter("narthex_process_cpu_seconds_total", "Processor time, of all threads.").watch(time.process_time)
    if _STATM.exists():
        metrics.gauge("narthex_process_resident_memory_bytes", "Memory in use.").watch(_resident)


def _under_way(house: House, kind: Literal["http", "websocket"]) -> float:
    """Quiet ones do not count, and not the scrape that asks."""
    return sum(
        1
        for exchange in house.live
        if exchange.kind == kind
        and not exchange.plan.quiet
        and (exchange.plan.taken is None or exchange.plan.taken.instance != house.instance)
    )


def _resident() -> float:
    return float(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
