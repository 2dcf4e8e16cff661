"""What is made of the settings: channels, by the modules of their kinds alone; templates."""

from collections.abc import Mapping
from pathlib import Path
from warnings import catch_warnings, simplefilter

from narthex import House
from narthex.errors import ConfigError
from narthex_plugins.notifications.lines import Lines
from narthex_plugins.notifications.sending import Channel
from narthex_plugins.notifications.settings import NotificationsSettings
from narthex_plugins.notifications.templates import TemplateFault, Templates


def channels(settings: NotificationsSettings, house: House) -> Mapping[str, Channel]:
    """Every channel by its name; libraries are imported only where a channel needs them.

    Raises:
        ConfigError: one of them cannot be.
    """
    found: dict[str, Channel] = {name: Lines(one, house.log) for name, one in settings.log.items()}
    if settings.webhook:
        from narthex_plugins.notifications.webhook import Webhook  # noqa: PLC0415  httpx

        found |= {name: Webhook(one, name, house.directory) for name, one in settings.webhook.items()}
    if settings.email:
        from narthex_plugins.notifications.emailing import Email  # noqa: PLC0415  aiosmtplib

        found |= {name: Email(one, name, house.directory) for name, one in settings.email.items()}
    if settings.apprise:
        with catch_warnings():
            simplefilter("ignore", DeprecationWarning)  # of what Apprise still imports
            from narthex_plugins.notifications.services import Service  # noqa: PLC0415  apprise, a hundred modules

            found |= {name: Service(one, name) for name, one in settings.apprise.items()}
    return found


def templates(settings: NotificationsSettings, house: House) -> Templates:
    """Every template, compiled.

    Raises:
        ConfigError: one of them is none, or its file cannot be read; or a rule names one that there is not.
    """
    try:
        made = Templates(settings.templates, lambda name: _read(house.directory / name, name))
    except TemplateFault as error:
        raise ConfigError(str(error), where=house.where("templates")) from None
    for number, rule in enumerate(settings.rules):
        if rule.template not in made.names:
            where = house.where("rules", number)
            raise ConfigError(f"a rule names the template {rule.template!r}, which there is not", where=where)
    return made


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateFault(f"file {name} cannot be read: {error}") from None
