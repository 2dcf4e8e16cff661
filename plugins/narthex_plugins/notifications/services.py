"""Services that Apprise knows. It is not made for event loops, so each attempt has a thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import apprise

from narthex.errors import ConfigError
from narthex_plugins.notifications.sending import Letter, Outcome
from narthex_plugins.notifications.settings import AppriseSettings


class Service:
    """Sends to every address of the channel; it has arrived once all of them took it.

    Args:
        settings: of the channel.
        name: its name, for messages.
    """

    def __init__(self, settings: AppriseSettings, name: str) -> None:
        asset = apprise.AppriseAsset(secure_logging=True, async_mode=False, storage_mode="memory", app_id="narthex")
        self._apprise = apprise.Apprise(asset=asset)
        for number, url in enumerate(settings.urls, 1):
            if not self._apprise.add(url.reveal()):  # pyright: ignore[reportUnknownMemberType]  a bare dict
                raise ConfigError(f"apprise {name}: Apprise does not understand the {number}. of urls")
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="narthex-apprise")

    async def close(self) -> None:
        """Begin nothing more; what a thread is at ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, letter: Letter) -> Outcome:
        """Have Apprise send it; all it says is whether it could."""
        loop = asyncio.get_running_loop()
        taken = await loop.run_in_executor(self._threads, self._notify, letter)
        return Outcome(sent=True) if taken else Outcome(sent=False, error="the service did not take it")

    def _notify(self, letter: Letter) -> bool:
        said = letter.message
        notify = cast("Callable[..., object]", self._apprise.notify)  # pyright: ignore[reportUnknownMemberType]
        return bool(notify(body=said.text, title=said.subject, body_format=apprise.NotifyFormat.TEXT))
