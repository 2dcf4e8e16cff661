"""`make fault` sets FAULT=full: every point instead of a sample. What was found is told at the end of the run."""

import os
from collections.abc import Sequence

import pytest

from tests.core.store.conftest import postgresql_url  # noqa: F401  a fixture
from tests.fault.scenes import Scene, scenes
from tests.fault.victim import need_strace

FULL = os.environ.get("FAULT") == "full"
_told: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault: kills processes, fails their calls; a sample unless FAULT=full")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _told:
        terminalreporter.section("faults")
        for line in _told:
            terminalreporter.write_line(line)


class Report:
    """Figures for the end of the run."""

    def __call__(self, line: str) -> None:
        _told.append(line)


@pytest.fixture
def report() -> Report:
    """Say a line at the end of the run."""
    return Report()


@pytest.fixture
def full() -> bool:
    """Whether every point is wanted, and not a sample."""
    return FULL


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Scene]:
    """Where runs under strace begin."""
    need_strace()
    return scenes(tmp_path_factory.mktemp("scenes"))
