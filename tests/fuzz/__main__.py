"""`make fuzz`: random exchanges before random houses, the same for the same seed on every machine.

make fuzz                        1,000,000 cases of a new seed, on every core
make fuzz SEED=7 COUNT=50000     these
make fuzz ARGS="--replay 7:1234" one case again, made small
"""

import argparse
import logging
import os
import secrets
import sys
import time

from tests.fuzz.report import replay
from tests.fuzz.run import run


def main() -> int:
    """Run; 0 if all was well, 1 if a fault was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz Narthex in process.")
    parser.add_argument("--seed", type=int, default=None, help="a whole number; a new one unless given")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--replay", metavar="SEED:N", help="play one case again, and make it small if it fails")
    given = parser.parse_args()
    logging.getLogger("narthex").setLevel(logging.CRITICAL + 1)
    if given.replay:
        seed, _, number = given.replay.partition(":")
        return 0 if replay(int(seed), int(number), print) else 1
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    began = time.monotonic()
    found = run(seed, given.count, given.jobs, print)
    print(f"{given.count} cases of seed {seed} in {time.monotonic() - began:.0f} s: {found} faults")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
