"""Lines of the log."""

import logging

from narthex_plugins.notifications.mailbox import one_line
from narthex_plugins.notifications.sending import Letter, Outcome
from narthex_plugins.notifications.settings import LogSettings

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Lines:
    """Writes a line for each.

    Args:
        settings: of the channel.
        log: where to.
    """

    def __init__(self, settings: LogSettings, log: logging.Logger) -> None:
        self._level = _LEVELS[settings.level]
        self._log = log

    async def close(self) -> None:
        """Nothing to let go of."""

    async def send(self, letter: Letter) -> Outcome:
        """Write subject and text on one line."""
        said = letter.message
        told = one_line(f"{said.subject}: {one_line(said.text, 2000)}", 2500)
        self._log.log(self._level, "notification %s", told, extra={"notification": letter.id})
        return Outcome(sent=True)
