"""CPython's standard library, scanned for secrets by `narthex scan` and by detect-secrets, one after the other.

    python -m benchmarks.scanning [--sample N] [--json F]

Both read the same copy of `sysconfig.get_path("stdlib")` without site-packages and compiled files, with one process
each and as they come. What counts is the processor's time of the whole command: others who use the machine are not
measured. detect-secrets takes minutes; `--sample 10` gives both every tenth file only. The bar: 20 times as fast.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BAR = 20
PROGRAMS = Path(sys.executable).parent


def copy(target: Path, every: int) -> tuple[int, int]:
    """Copy the library; give the number of files and of bytes."""
    root = Path(sysconfig.get_path("stdlib"))
    files = [
        file
        for file in sorted(root.rglob("*"))
        if file.is_file() and not {"site-packages", "__pycache__"} & {*file.relative_to(root).parts}
    ]
    for file in files[::every]:
        place = target / file.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    return len(files[::every]), sum(file.stat().st_size for file in files[::every])


def timed(command: list[str], directory: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Run a command; give its seconds, of the wall and of the processor, and the JSON it printed."""
    before, began = os.times(), time.monotonic()
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    after, ended = os.times(), time.monotonic()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": round(ended - began, 2), "cpu": round(cpu, 2)}, json.loads(done.stdout)


def measure(every: int) -> dict[str, Any]:
    """Scan with both."""
    with TemporaryDirectory(prefix="narthex-stdlib-") as place:
        directory = Path(place)
        files, size = copy(directory, every)
        ours, found = timed([str(PROGRAMS / "narthex"), "scan", "--jobs", "1", "--format", "json"], directory)
        peer = [str(PROGRAMS / "detect-secrets"), "scan", "--all-files", "."]
        theirs, told = timed(peer, directory)
    return {
        "files": files,
        "bytes": size,
        "narthex": {**ours, "findings": [[one["path"], one["line"], one["kind"]] for one in found["findings"]]},
        "detect-secrets": {**theirs, "findings": sum(map(len, told["results"].values()))},
        "times_as_fast": round(theirs["cpu"] / ours["cpu"], 1),
        "load": os.getloadavg()[0],
    }


def main() -> int:
    """Measure and print; 1 where the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanning")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every Nth file only")
    parser.add_argument("--json", type=Path, metavar="F", help="where to write the results")
    chosen = parser.parse_args()
    result = measure(chosen.sample)
    print(f"{result['files']} files, {result['bytes'] / 1e6:.1f} MB, load {result['load']:.1f}")
    for name in ("narthex", "detect-secrets"):
        one = result[name]
        count = one["findings"] if isinstance(one["findings"], int) else len(one["findings"])
        print(f"{name:16}{one['cpu']:9.2f} s of the processor {one['wall']:9.2f} s of the wall {count:6} findings")
    print(f"{result['times_as_fast']} times as fast; the bar is {BAR}")
    for kind, count in Counter(kind for _, _, kind in result["narthex"]["findings"]).most_common():
        print(f"  {count:4} {kind}")
    for path, line, kind in result["narthex"]["findings"]:
        print(f"       {path}:{line} {kind}")
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 0 if result["times_as_fast"] >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
