"""Looking an account up for a command: the store is read if it is there, and never made."""

from narthex.config import Config
from narthex.errors import ConfigError, StartError
from narthex.identity import Identity
from narthex.loader import Built
from narthex.services import Directory


def account_of(built: Built, config: Config, name: str) -> Identity | None:
    """Who somebody would be if they logged in; None where no plugin of the file keeps accounts.

    Raises:
        ConfigError: a plugin does, and there is no store yet or nobody of that name.
        StartError: the store does not answer.
    """
    directory = built.tenancy.services.service(Directory, None, "explain")  # type: ignore[type-abstract]
    if directory is None:
        return None
    # Only where accounts are kept, so only where the store is in use.
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from narthex.store.address import parse  # noqa: PLC0415
    from narthex.store.engines import reading  # noqa: PLC0415

    address = parse(config.settings.store.reveal(), config.directory)
    hint = "--role, --permission and --claim say who is meant without an account"
    if address.kind == "memory" or (address.file is not None and not address.file.is_file()):
        raise ConfigError(f"there is no store in which {name!r} could have an account", hint=hint)
    engine = reading(address)
    try:
        with engine.connect() as connection:
            found = directory.find(connection, name)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StartError(f"the store {address} cannot tell who {name!r} is: {reason}") from error
    finally:
        engine.dispose()
    if found is None:
        raise ConfigError(f"nobody who may log in is called {name!r}", hint=hint)
    return found
