# ruff: noqa: INP001  a script, not a package
"""Ask pip-audit about pinned packages: fail on a finding, say loudly when nobody could be asked.

pip-audit exits 0 with "no known vulnerabilities" when an index in the middle answers 404 for every package,
and with a traceback when there is no network; neither is an answer, so this looks at what was really audited.

Usage: `python .ci/audit.py constraints.txt`. Exit code 1 for a finding or a fault of pip-audit's own, else 0.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ServiceError", "NameResolutionError")
"""What the names of network faults look like at the end of pip-audit's complaint."""


def audit(requirements: str) -> int:
    """Print what is known about the pinned packages of one requirements file; returns the exit code."""
    options = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
    done = subprocess.run(  # noqa: S603  the arguments are our own
        [sys.executable, "-m", "pip_audit", "--requirement", requirements, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.strip():
        if any(name in done.stderr for name in UNREACHABLE):
            return unanswered(done.stderr.strip().splitlines()[-1])
        sys.stderr.write(done.stderr)
        return 1
    packages: list[dict[str, object]] = json.loads(done.stdout)["dependencies"]
    skipped = [f"{package['name']}" for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return unanswered("it knows none of our packages, so something else answered in its place")
    return report(packages, skipped)


def unanswered(reason: str) -> int:
    """Say that nothing was audited, so that nobody takes silence for a clean bill."""
    bar = "!" * 100
    sys.stderr.write(f"{bar}\n!! pip-audit: NOTHING WAS AUDITED, the advisory service cannot be reached\n!! {reason}\n")
    sys.stderr.write(f"{bar}\n")
    return 0


def report(packages: Sequence[dict[str, object]], skipped: Sequence[str]) -> int:
    """Print every finding and every package that was passed over."""
    found = 0
    for package in packages:
        vulnerabilities = package.get("vulns")
        for vulnerability in vulnerabilities if isinstance(vulnerabilities, list) else ():
            found += 1
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            sys.stdout.write(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}\n")
    if skipped:
        sys.stdout.write(f"pip-audit: not audited: {', '.join(skipped)}\n")
    sys.stdout.write(f"pip-audit: {len(packages) - len(skipped)} packages audited, {found} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1]))
