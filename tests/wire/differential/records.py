"""What a served process has put on record, read from outside while it runs."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One thing seen: of which case and exchange, from which side ("outside", "inside", "note"), what, and how."""

    case: str
    exchange: int
    side: str
    what: str
    fact: object


class Records:
    """The record of one served process.

    Args:
        place: the directory that it writes to.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._file = place / "record.jsonl"
        self._read = 0
        self._lines: dict[str, list[Line]] = {}

    def of(self, case: str) -> list[Line]:
        """Everything of a case so far, in the order it happened."""
        self._catch_up()
        return list(self._lines.get(case, ()))

    def noted(self, case: str, text: str, patience: float) -> bool:
        """Wait until the app has noted a text."""
        return _wait(lambda: any(line.fact == text for line in self.of(case) if line.side == "note"), patience)

    def settled(self, case: str, patience: float) -> bool:
        """Wait until every exchange of a case that came in has left again."""
        return _wait(lambda: self._open(case) == 0, patience)

    def _open(self, case: str) -> int:
        what = [line.what for line in self.of(case) if line.side == "outside"]
        return what.count("entered") - what.count("left")

    def _catch_up(self) -> None:
        if not self._file.exists():
            return
        with self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        for raw in whole.splitlines():
            line = Line(*json.loads(raw))
            self._lines.setdefault(line.case, []).append(line)


def _wait(condition: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.003)
    return True
