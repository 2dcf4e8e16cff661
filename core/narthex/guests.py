"""The plugin instances of a configuration: made from their tables, or taken over from the configuration before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from narthex.config import Config, PluginTable, Settings, plugin_settings, raise_all
from narthex.entrypoints import check_constructor, plugin_class
from narthex.errors import BootError, ConfigError, PluginError
from narthex.house import Estate, House, Room, Tenancy
from narthex.requirement import check_requirement


@dataclass(frozen=True, slots=True, eq=False)
class Guest:
    """One plugin instance.

    Attributes:
        table: its table in the file.
        plugin: the object.
        settings: its table, validated.
        room: what it occupies.
        given: what its boot hooks gave, each asked once, by hook name.
        hooks: what it implements.
    """

    table: PluginTable
    plugin: object
    settings: Settings
    room: Room = field(repr=False)
    given: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    hooks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The instance name."""
        return self.table.instance


def make_guests(config: Config, estate: Estate, tenancy: Tenancy, before: Sequence[Guest] = ()) -> list[Guest]:
    """Make every plugin of the file, in its order; what is wrong with any of them is said at once.

    An instance of `before` is taken over where its class and settings are the same and what it was told of other
    plugins' services still holds.

    Raises:
        ConfigError, ConfigErrors: with the lines of the file.
    """
    wanted = _wanted(config)
    keep = {
        guest.name: guest
        for guest in before
        if guest.name in wanted
        and type(guest.plugin) is wanted[guest.name][1]
        and guest.settings == wanted[guest.name][2]
    }
    made: dict[str, Guest] = {}
    offers = before[0].room.tenancy.services if before else None
    while True:
        if offers is not None:
            tenancy.services.take_over(offers, keep)
        errors: list[ConfigError] = []
        for name, (table, made_by, settings) in wanted.items():
            if name not in keep and name not in made:
                try:
                    made[name] = _make(config, estate, tenancy, table, made_by, settings)
                except ConfigError as error:
                    errors.append(error)
        raise_all(errors)
        misled = [name for name in keep if offers is not None and tenancy.services.differ(offers, name)]
        if not misled:
            return [made.get(name) or replace(keep[name], table=table) for name, (table, _, _) in wanted.items()]
        for name in misled:
            del keep[name]


def _wanted(config: Config) -> Mapping[str, tuple[PluginTable, type[Any], Settings]]:
    wanted: dict[str, tuple[PluginTable, type[Any], Settings]] = {}
    errors: list[ConfigError] = []
    for table in config.plugins:
        try:
            made_by = plugin_class(table)
            check_requirement(made_by, table.instance, table.where)
            wanted[table.instance] = (table, made_by, plugin_settings(config, table, made_by.Settings))
        except ConfigError as error:
            errors.append(error)
    raise_all(errors)
    return wanted


def _make(
    config: Config, estate: Estate, tenancy: Tenancy, table: PluginTable, made_by: type[Any], settings: Settings
) -> Guest:
    check_constructor(made_by, table)
    room = Room(estate, tenancy)
    try:
        plugin: object = made_by(settings, House(estate, room, table.instance))
    except BootError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "psycopg" and _on_postgresql(config):
            raise no_psycopg(config) from error
        raise PluginError(
            f"plugin {table.instance} could not be made: {type(error).__name__}: {error}", where=table.where
        ) from error
    room.built()
    return Guest(table, plugin, settings, room)


def _on_postgresql(config: Config) -> bool:
    return config.settings.store.reveal().startswith("postgres")


def no_psycopg(config: Config) -> ConfigError:
    """The store's driver is missing, which is no fault of the plugin that asked for the store first."""
    return ConfigError(
        "[narthex] store: PostgreSQL needs psycopg",
        where=config.where(("narthex", "store")),
        hint="pip install 'narthex[postgresql]', or '.[postgresql]' in a clone",
    )
