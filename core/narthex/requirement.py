"""What a plugin asks of the release of narthex that loads it: `requires = "narthex>=1,<2"`.

The versions of the public surface follow SemVer (docs/reference/stability.md), so a plugin can say with which releases
it works, and a house of another one refuses to boot instead of failing in some request. Specifiers are those of
PEP 440; a development or pre-release of a version that would do, does.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from narthex.errors import PluginError

_WRITE: Final = 'write requires = "narthex>=1,<2"'


def check_requirement(made_by: type, instance: str, where: str = "", installed: str = "") -> None:
    """Refuse a plugin that was written for another release.

    Args:
        made_by: the plugin class; without `requires` it asks for nothing.
        instance: its table's name.
        where: the line of its table.
        installed: the release of narthex, unless it is to be asked for.

    Raises:
        PluginError: the release is another one, or `requires` cannot be read.
    """
    wanted: object = getattr(made_by, "requires", None)
    if wanted is None:
        return
    requirement = _read(wanted, instance, where)
    here = installed or _installed()
    if here and not requirement.specifier.contains(here, prereleases=True):
        raise PluginError(
            f"plugin {instance} requires {requirement}, and this is narthex {here}",
            where=where,
            hint="install a release of the plugin that goes with it, or the narthex that it asks for",
        )


def _read(wanted: object, instance: str, where: str) -> Requirement:
    try:
        requirement = Requirement(str(wanted))
    except InvalidRequirement as error:
        why = str(error).partition("\n")[0]
        raise PluginError(f"plugin {instance}: requires cannot be read: {why}", where=where, hint=_WRITE) from None
    if requirement.name.lower() != "narthex" or requirement.extras or requirement.marker or requirement.url:
        raise PluginError(
            f"plugin {instance}: requires is {str(requirement)!r}, which asks for more than a release of narthex",
            where=where,
            hint=f"{_WRITE}; what else it needs belongs into its pyproject.toml",
        )
    return requirement


def _installed() -> str:
    """The release; "" where the package is on the path without being installed."""
    try:
        return version("narthex")
    except PackageNotFoundError:
        return ""
