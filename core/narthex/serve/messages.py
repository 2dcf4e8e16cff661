"""What `narthex run` itself says, on standard error: standard output belongs to the app and its logs."""

import importlib
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from narthex.errors import BootError, ConfigError
from narthex.serve.exits import Exit

_OURS = f"{Path(__file__).parent}{os.sep}"
_IMPORTING = ("<frozen importlib", str(importlib.__file__))


def tell(message: str) -> None:
    """Write one line for the operator."""
    _write(f"narthex: {message}\n")


def _write(text: str) -> None:
    """A closed or broken standard error is no reason to stop serving."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def tell_boot_error(error: BootError) -> Exit:
    """Say what the operator has to put right, and return the exit code for it."""
    if isinstance(error, ConfigError):
        # It begins with "narthex.toml:12:", which editors and terminals turn into a link.
        _write(f"{error}\n")
        return Exit.USAGE
    tell(str(error))
    return Exit.FAILED_START


def tell_outcome(refused: str, words: str) -> None:
    """Say how a reload went; what is wrong with the file begins its line, as it does at boot."""
    if refused:
        tell("not reloaded, everything is as before:")
        _write(f"{refused}\n")
    else:
        tell(words)


def tell_traceback(error: BaseException) -> None:
    """Print the traceback of somebody's code from the first line that is theirs."""
    error.with_traceback(_without_plumbing(error.__traceback__))
    _write("".join(traceback.format_exception(error)))


def _without_plumbing(trace: TracebackType | None) -> TracebackType | None:
    """What follows the last of our own frames and the import machinery they called."""
    theirs = step = trace
    while step is not None:
        if step.tb_frame.f_code.co_filename.startswith(_OURS):
            theirs = step.tb_next
        step = step.tb_next
    while theirs is not None and theirs.tb_frame.f_code.co_filename.startswith(_IMPORTING):
        theirs = theirs.tb_next
    return theirs or trace
