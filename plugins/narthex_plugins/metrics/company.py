"""Who is counted together: the processes that one server has started to share its port.

A scrape lands on any of them and has to answer for all. Which they are, no server says in the same way; but each of its
workers has the server for its parent, and knows that it is a worker. The parent, by pid and time of birth, names the
run: what a former run has left behind is not counted.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Literal

Together = Literal["auto", "parent", "alone"]
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that a run lasts as long as.

    Attributes:
        pid: of the parent, or of this process where it is alone.
        born: its time of birth, boot included; "" where the system does not tell.
    """

    pid: int
    born: str

    @property
    def lives(self) -> bool:
        """Whether it is still there, and has not left its pid to another."""
        if not self.born:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return False
            except PermissionError:
                return True
            return True
        return born(self.pid) == self.born


def owner(together: Together) -> Owner:
    """Whose run this process belongs to.

    Args:
        together: "auto" asks whether this process is a server's worker, "parent" takes that for given.
    """
    pid = os.getpid() if together == "alone" else _server() if together == "auto" else os.getppid()
    return Owner(pid, born(pid))


def _server() -> int:
    """The server whose worker this is, or this process itself."""
    parent = parent_process()  # uvicorn, hypercorn and granian start theirs so
    if parent is not None and parent.pid is not None:
        return parent.pid
    supervised = getattr(sys.modules["__main__"].__spec__, "name", "") == "narthex.serve.__main__"
    forked = "gunicorn.arbiter" in sys.modules
    return os.getppid() if supervised or forked else os.getpid()


def born(pid: int) -> str:
    """When a process was started, so that no two of one pid are alike; "" where it is not there or nobody tells."""
    with suppress(OSError, IndexError):
        # After the name, which may hold anything, in parentheses: the 20th field is the start, in ticks since boot.
        ticks = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
        return f"{_boot()}.{ticks}"
    return ""


@cache
def _boot() -> str:
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""
