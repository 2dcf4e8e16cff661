"""Argon2id, off the event loop.

A verification takes about a tenth of a second and `memory` bytes. It is done by a few threads of their own, as many at
once as `concurrency` says, and only so many more may wait: a flood of logins costs memory and processors no more than
that, and what does not fit is told to come back. Argon2 lets go of the interpreter's lock while it works.

Memory in each process: at most `concurrency` times `memory` (of the stored hash, where an older one took more).
"""

import asyncio
import math
import os
import secrets
import sys
import threading
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from narthex.errors import DependencyError
from narthex_plugins.auth.account_settings import LONGEST_PASSWORD, PasswordSettings

T = TypeVar("T")

_NICE: Final = 10
"""How far a thread that hashes steps back behind the event loop, where threads have a niceness of their own."""


def normal(password: str) -> bytes | None:
    """The password as it is hashed: RFC 8265's OpaqueString, which is NFC, and every kind of space is a space.

    The same keys give different code points on different systems (é is one on Windows and may be two on macOS), and
    a password must not stop working because its owner has bought another phone. Nothing is cut off, and no case is
    changed (ASVS 5.0 6.2.8).

    Returns:
        UTF-8; None for what cannot be anybody's password: longer than 256 characters, or no Unicode text.
    """
    if len(password) > LONGEST_PASSWORD:
        return None
    spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
    try:
        return unicodedata.normalize("NFC", spaced).encode()
    except UnicodeEncodeError:
        return None


class Hasher:
    """Argon2id with the parameters of the settings, in the calling thread.

    Attributes:
        dummy: a hash of no password, with these parameters: verifying against it takes as long as against a real one.
    """

    def __init__(self, settings: PasswordSettings) -> None:
        kibibytes = settings.memory // 1024
        self._argon2 = PasswordHasher(settings.passes, kibibytes, settings.lanes, hash_len=32, salt_len=16)
        salt, tag = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
        self.dummy = f"$argon2id$v=19$m={kibibytes},t={settings.passes},p={settings.lanes}${salt}${tag}"

    def hash(self, password: str) -> str:
        """Hash with a new salt, in PHC form.

        Raises:
            ValueError: it cannot be anybody's password.
        """
        secret = normal(password)
        if secret is None:
            raise ValueError("no password is like this")
        return self._argon2.hash(secret)

    def verify(self, encoded: str | None, password: str) -> bool:
        """Whether it is the password of this hash. One verification in any case, also where there is no hash."""
        secret = normal(password)
        known = encoded is not None and secret is not None
        try:
            matched = self._argon2.verify(encoded if known and encoded else self.dummy, secret or b"")
        except VerificationError:
            return False
        except InvalidHashError:  # somebody has written into the table; this account has no password
            with suppress(VerificationError):
                self._argon2.verify(self.dummy, secret or b"")
            return False
        return known and matched

    def is_stale(self, encoded: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(encoded)


class Passwords:
    """As `Hasher`, on threads of its own. One per process; makes its threads when they are first needed.

    Args:
        settings: with `concurrency` and `queue`.
    """

    def __init__(self, settings: PasswordSettings) -> None:
        self.hasher = Hasher(settings)
        self._threads = settings.concurrency
        self._room = settings.concurrency + settings.queue
        self._counting = threading.Lock()
        self._inside = 0
        self._took = 0.1  # seconds, the last one
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether it is the password of this hash; as long for `None`.

        Raises:
            DependencyError: too many are waiting; with the seconds until there should be room.
        """
        return await self._run(lambda: self.hasher.verify(encoded, password))

    async def hash(self, password: str) -> str:
        """Hash with a new salt, in PHC form.

        Raises:
            DependencyError: too many are waiting.
            ValueError: it cannot be anybody's password.
        """
        return await self._run(lambda: self.hasher.hash(password))

    def close(self) -> None:
        """Let the threads end; who waits for a turn gets a DependencyError."""
        pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._counting:
            if self._inside >= self._room:
                wait = math.ceil(self._took * self._inside / self._threads)
                raise DependencyError("too many passwords wait to be verified", retry_after=max(1, wait))
            self._inside += 1
        try:
            future = self._executor().submit(self._timed, work)
        except BaseException:
            self._leave()
            raise
        # Whoever goes away while waiting gives their place up; what has begun is brought to its end.
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and task is not None and not task.cancelling():  # by `close`, and not the caller
                raise DependencyError("passwords are not verified any more", retry_after=1) from None
            raise

    def _executor(self) -> ThreadPoolExecutor:
        """The threads of this process: after a fork, the parent's are not here."""
        if self._pool is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._pool = ThreadPoolExecutor(self._threads, "narthex-password", initializer=_step_back)
        return self._pool

    def _timed(self, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            return work()
        finally:
            self._took = time.perf_counter() - began

    def _leave(self, _future: Future[T] | None = None) -> None:
        with self._counting:
            self._inside -= 1


def _step_back() -> None:
    """Have the scheduler prefer the event loop to this thread and the lanes it starts. Linux's alone."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICE)
