"""Errors, by whose fault they are.

A refusal is a value (`Deny`); an exception is a surprise. Every class carries a stable `code`, which tests and
operators may match on, and a `hint` for the reader.
"""

from typing import ClassVar


class NarthexError(Exception):
    """Anything Narthex raises on purpose.

    Attributes:
        code: stable snake_case word, documented in docs/reference/errors.md.
        hint: what the reader may do about it, or "".
    """

    code: ClassVar[str] = "narthex_error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} ({self.hint})" if self.hint else message


class BootError(NarthexError):
    """The operator's: nothing is served."""

    code = "boot_failed"


class ConfigError(BootError):
    """The file, the environment or a secret says something that cannot be followed.

    Attributes:
        where: "narthex.toml:12", "environment", or "" when only a mapping was given.
    """

    code = "config_invalid"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {super().__str__()}" if self.where else super().__str__()


class PluginError(ConfigError):
    """A plugin cannot be loaded, or breaks the plugin contract: unknown hook, hidden order, wrong type."""

    code = "plugin_invalid"


class StartError(BootError):
    """A plugin or the app could not be started."""

    code = "start_failed"


class DependencyError(NarthexError):
    """The world's: a store or key server does not answer. A guard that raises it refuses with 503.

    Attributes:
        retry_after: seconds until it is worth asking again, or None.
    """

    code = "dependency_unavailable"

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ContractError(NarthexError):
    """The programmer's: a hook returned nonsense, a double start. The caller sees a plain 500."""

    code = "contract_broken"
