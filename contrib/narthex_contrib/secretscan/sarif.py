"""Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines."""

import hashlib
import json
from collections import Counter
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from narthex.detectors.kinds import Surety
from narthex_contrib.secretscan.report import Outcome
from narthex_contrib.secretscan.scanning import Finding

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Surety.CERTAIN: "error", Surety.LIKELY: "error", Surety.POSSIBLE: "warning"}
_SEVERITY: Final = {"error": "9.0", "warning": "7.0"}


def as_sarif(outcome: Outcome, told: dict[str, str]) -> str:
    """One run; what is exempted is there as suppressed, with the reason."""
    rules = sorted({one.kind for one in outcome.findings})
    places = {kind: number for number, kind in enumerate(rules)}
    same: Counter[str] = Counter()
    results: list[dict[str, Any]] = []
    for one in outcome.findings:
        mark = hashlib.sha256(f"{one.kind}\0{one.path}\0{one.shown}".encode()).hexdigest()[:32]
        same[mark] += 1
        results.append(_result(one, told, places[one.kind], f"{mark}:{same[mark]}"))
    run = {
        "tool": {
            "driver": {
                "name": "narthex scan",
                "version": version("narthex"),
                "rules": [_rule(kind, told) for kind in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The top of the scanned files."}}},
        "invocations": [{"executionSuccessful": not outcome.unreadable}],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=True)


def _rule(kind: str, told: dict[str, str]) -> dict[str, Any]:
    about = told.get(kind, kind)
    return {
        "id": kind,
        "shortDescription": {"text": about},
        "fullDescription": {"text": f"{about}, in a file that others may read."},
        "help": {"text": "Withdraw it where it was issued, then take it out of the file and its history."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "secret"], "security-severity": _SEVERITY["error"]},
    }


def _result(one: Finding, told: dict[str, str], rule: int, mark: str) -> dict[str, Any]:
    note = f" ({one.note})" if one.note else ""
    region = {"startLine": one.line, "startColumn": one.column, "endLine": one.end_line, "endColumn": one.end_column}
    result: dict[str, Any] = {
        "ruleId": one.kind,
        "ruleIndex": rule,
        "level": _LEVELS[one.surety],
        "message": {"text": f"{told.get(one.kind, one.kind)}: {one.shown}{note}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(one.path.encode("utf-8", "replace")), "uriBaseId": "SRCROOT"},
                    "region": region,
                }
            }
        ],
        "partialFingerprints": {"narthexSecret/v1": mark},
        "properties": {"surety": str(one.surety)} | ({"commit": one.commit} if one.commit else {}),
    }
    if one.exempted:
        how = "inSource" if one.exempted == "comment" else "external"
        result["suppressions"] = [{"kind": how, "justification": one.reason, "status": "accepted"}]
    return result
