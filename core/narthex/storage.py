"""What a plugin sees of the store; the store itself is imported only where a plugin asks for it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from narthex.hooks import Health
from narthex.link import Link

T = TypeVar("T")


class Store(Protocol):
    """The deployment's store, as one process has it open. Jobs take a SQLAlchemy `Connection`."""

    @property
    def link(self) -> Link:
        """Tells all processes to look."""
        ...

    def write(self, job: Callable[[Any], T]) -> Awaitable[T]:
        """Run the job in the writer; its result once it is durable.

        The job shares a transaction with others and may be run twice, so it does nothing but use its connection.

        Raises:
            DependencyError: the store does not take it.
            Exception: what the job raised; nothing of it was written.
        """
        ...

    def write_blocking(self, job: Callable[[Any], T]) -> T:
        """As `write`, from a thread other than the event loop's."""
        ...

    def post(self, job: Callable[[Any], object]) -> bool:
        """Have the job written soon, without waiting; False, and counted, where there is no room."""
        ...

    def read(self, job: Callable[[Any], T]) -> Awaitable[T]:
        """Run the job on a reader's thread and connection.

        Raises:
            DependencyError: the store does not answer.
        """
        ...

    def read_blocking(self, job: Callable[[Any], T]) -> T:
        """As `read`, on the calling thread."""
        ...

    def start(self, tables: Sequence[Any] = ()) -> Awaitable[None]:
        """Open it; core does."""
        ...

    def adopt(self, tables: Sequence[Any]) -> Awaitable[None]:
        """Bring more tables up to date while it serves; those it has already stay as they are. Core does."""
        ...

    def follow(self, digest: str) -> None:
        """Say among the members which configuration this process follows. Core does."""
        ...

    def saw(self, log: str, version: int) -> Awaitable[None]:
        """Say among the members how far this process has read a log; they know when it returns.

        Raises:
            DependencyError: the store does not take it.
        """
        ...

    def behind(self, log: str, version: int) -> Awaitable[Sequence[str]]:
        """Which other members follow a log and have not said that they have read it up to a version: "host:pid" each.

        Raises:
            DependencyError: the store does not answer.
        """
        ...

    def stop(self) -> Awaitable[None]:
        """Close it; core does."""
        ...

    def health(self) -> Awaitable[Health]:
        """Whether it takes a write."""
        ...
