"""What the checks of the plugins come to. Plain values in, status and body out.

The body follows draft-inadarei-api-health-check-06: "pass", "warn" and "fail", media type
`application/health+json`; a warning keeps the house ready.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from narthex.hooks import Health

MEDIA_TYPE: Final = "application/health+json"
Status = Literal["pass", "warn", "fail"]

WORSE: Final[dict[Status, int]] = {"pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe is told.

    Attributes:
        status: the worst of all checks.
        checks: what each plugin said, by instance.
    """

    status: Status
    checks: Mapping[str, Health]

    @property
    def http_status(self) -> int:
        """200, or 503 when something failed."""
        return 503 if self.status == "fail" else 200

    def body(self, *, details: bool) -> bytes:
        """The JSON object; without details the status alone."""
        told: dict[str, object] = {"status": self.status}
        if details and self.checks:
            told["checks"] = {
                instance: [{"status": check.status, **({"output": check.detail} if check.detail else {})}]
                for instance, check in self.checks.items()
            }
        return json.dumps(told, separators=(",", ":")).encode()


ALIVE: Final = Report("pass", {})
NOT_READY: Final = Report("fail", {})
"""Start-up has not ended, or the house is on its way down."""


def report(checks: Mapping[str, Health]) -> Report:
    """Sum up: as bad as the worst check; no checks at all are a pass."""
    worst: Status = "pass"
    for check in checks.values():
        if WORSE[check.status] > WORSE[worst]:
            worst = check.status
    return Report(worst, checks)
