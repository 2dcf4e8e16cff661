import io
import sys

import pytest

from narthex_contrib.secretscan import progress


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_is_for_terminals_and_leaves_nothing_behind(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    monkeypatch.setattr(sys, "stderr", screen := Screen(terminal=terminal))
    bar = progress.Progress(10, "files")
    bar.forward(5)
    bar.end()
    bar.end()
    shown = screen.getvalue()
    assert ("5/10 files" in shown) is terminal
    assert shown.endswith("\r\x1b[K") is terminal
