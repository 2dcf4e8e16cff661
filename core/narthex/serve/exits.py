"""What a command's exit code says. The numbers are part of the public surface (docs/reference/commands.md)."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `narthex` command.

    Attributes:
        FINE: done, or stopped gracefully because a signal asked for it (SIGTERM and SIGINT alike).
        FINDING: the command did its work and found something, or a stop was forced before it was complete.
        USAGE: an error in the file, the environment or the command line; nothing was started.
        FAILED_START: the file was fine, but the app, a plugin or the port was not; nothing is served.
    """

    FINE = 0
    FINDING = 1
    USAGE = 2
    FAILED_START = 3
