"""Whose workers are counted together. What each server does is in `test_workers`."""

import os
import subprocess
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

from narthex_plugins.metrics.company import Owner, Together, born, owner
from tests.slow import sampled


def test_a_process_that_no_server_has_started_is_alone() -> None:
    assert owner("auto") == owner("alone") == Owner(os.getpid(), born(os.getpid()))


def test_it_may_be_told_that_its_parent_is_a_server() -> None:
    assert owner("parent") == Owner(os.getppid(), born(os.getppid()))


def say(end: Connection, together: Together) -> None:
    end.send(owner(together))


@pytest.mark.parametrize("method", sampled(["spawn", "forkserver"], lambda method: method == "spawn"))
def test_what_multiprocessing_has_started_belongs_to_who_started_it(method: str) -> None:
    context = get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=say, args=(theirs, "auto"))  # type: ignore[attr-defined]  # typeshed has it on some
    child.start()
    assert ours.recv() == Owner(os.getpid(), born(os.getpid()))
    child.join()
    child.close()


def test_a_process_that_is_gone_owns_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    its = Owner(child.pid, born(child.pid))
    assert its.lives
    child.communicate(b"\n")
    assert not its.lives


def test_a_pid_that_another_process_has_by_now_is_not_its() -> None:
    assert not Owner(os.getpid(), f"{born(os.getpid())}0").lives


@pytest.mark.parametrize(("pid", "lives"), [(os.getpid(), True), (2**22 + 1, False)], ids=["alive", "gone"])
def test_where_no_time_of_birth_is_told_the_pid_alone_counts(pid: int, lives: bool) -> None:
    assert Owner(pid, "").lives is lives
