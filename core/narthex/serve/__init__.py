"""`narthex run`: an app behind the house, on uvicorn, hypercorn or granian, with 1 to N workers.

One worker runs in this process, several under a supervisor of our own: the servers' supervisors exit 0 after a
failed start, replace their workers on SIGHUP, or both.
"""

from pathlib import Path
from typing import Final

from narthex import config as configuration
from narthex.config import Config
from narthex.errors import BootError, ConfigError
from narthex.house import Estate
from narthex.loader import build
from narthex.serve import servers
from narthex.serve.application import extend_path
from narthex.serve.binding import bind, url
from narthex.serve.exits import Exit
from narthex.serve.messages import tell, tell_boot_error
from narthex.serve.options import Options, ServerName
from narthex.serve.supervisor import supervise
from narthex.serve.worker import work

DEFAULT_CONFIG: Final = Path("narthex.toml")


def run(
    app: str | None = None,
    config: Path = DEFAULT_CONFIG,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    server: ServerName | None = None,
    wsgi: bool = False,
) -> Exit:
    """Serve until SIGTERM or SIGINT; call it from the main thread.

    Args:
        app: "module:attribute" or "module:factory()"; None takes the file's `app`.
        config: the configuration file.
        host: address or name to listen on.
        port: 0 lets the system choose; the line on standard error says which.
        workers: processes that share the port.
        server: None takes the file's `server`.
        wsgi: the app speaks WSGI.

    Returns:
        The exit code. Whatever there is to say has been written to standard error.
    """
    try:
        text = configuration.read_text(config)
        settings = configuration.load(config, text=text)
        options = _options(settings, config, app, server, wsgi=wsgi)
        servers.require(options.server, settings.where(("narthex", "server")) if server is None else "")
        if workers > 1:
            _require_shared_store(settings)
        listener = bind(host, port)
    except BootError as error:
        return tell_boot_error(error)

    def ready() -> None:
        count = "" if workers == 1 else f", {workers} workers"
        tell(f"serving {options.app} on {where} ({options.server}{count})")

    where = url(listener)
    with listener:
        if workers == 1:
            return work(options, listener, text, ready)
        return supervise(options, listener, text, workers, ready)


def _options(settings: Config, config: Path, app: str | None, server: ServerName | None, *, wsgi: bool) -> Options:
    named = app or settings.settings.app
    if named is None:
        raise ConfigError(
            "which app? Neither the command line nor the file names one",
            where=settings.source,
            hint='narthex run module:attribute, or app = "module:attribute" below [narthex]',
        )
    return Options(
        app=named,
        app_where="" if app else settings.where(("narthex", "app")),
        config=str(config.absolute()),
        server=server or settings.settings.server,
        wsgi=wsgi,
        drain=settings.settings.drain,
        own_logs=any(_plugin(table.use) == "logging" for table in settings.plugins),
    )


def _require_shared_store(config: Config) -> None:
    """Refuse a store that each worker would have for itself: what one revokes, the others would let in."""
    if config.settings.store.reveal() != "memory":
        return
    # Only here are the plugins imported in the parent: nobody else knows whether any of them keeps something.
    extend_path(config.directory)
    estate = Estate(config.settings, config.directory)
    built = build(config, estate)
    if estate.stored or built.tenancy.tables():
        raise ConfigError(
            'the store is "memory", which several workers cannot share',
            where=config.where(("narthex", "store")),
            hint='store = "sqlite:///narthex.db", or --workers 1',
        )


def _plugin(use: str) -> str:
    """The plugin that a table names, also where it is written as "package.logging:Logging"."""
    return use.partition(":")[0].rpartition(".")[2]
