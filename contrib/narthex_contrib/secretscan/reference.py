"""Writes docs/reference/secret-types.md from the catalogue: `python -m narthex_contrib.secretscan.reference`."""

from collections.abc import Iterator

from narthex.detectors.kinds import KINDS, NAMED, Kind
from narthex_contrib.secretscan.settings import Exempt, OwnDetector, ScanSettings

_ABOUT = f"""\
# Kinds of secrets

<!-- Written by `make docs` from the catalogue in core/narthex/detectors/kinds. -->

What [`narthex scan`](../howto/scan-secrets.md) looks for: {len(KINDS)} kinds with a form of their own, and {len(NAMED)}
that a name beside the value gives away. `narthex scan --list` prints the ids.

Every kind is looked for by its keywords first, as they are written here. Where one stands, its form has to fit to the
character, with no letter or digit before and behind. Then, of every kind:

- words that stand in for a secret ("example", "your-token", "xxxx"), one character again and again, a piece repeated,
  digits or letters in their order, and the keys that documentation and emulators show the world are ruled out;
- what is behind the prefix has at least so many bits of entropy a character;
- a checksum is worked out, or the inner structure is looked at, where the table says so. One that comes out makes a
  finding *certain*. A token whose checksum is wrong is *possible*, and none at all where its line speaks of an example;
  `checksums = true` in the configuration leaves all of them alone.

Findings of the last table are *possible*, all others *likely*.

## With a form of their own

| id | what | begins or goes with | bits | checked | the form is told by |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield _ABOUT
    for one in KINDS:
        told = (f"`{one.id}`", one.description, _keywords(one), f"{one.entropy or ''}", one.checked, one.source)
        yield f"| {' | '.join(told)} |\n"
    yield "\n## Given away by a name\n\n"
    yield "The name says password, secret, token or key, and what it is of; the value is like this, or drawn by chance."
    yield "\n\n"
    yield "| id | what | the name has | the value is | the form is told by |\n|---|---|---|---|---|\n"
    for named in NAMED:
        name = f"`{_cell(named.name.pattern)}`" if named.name else "a word for a secret"
        value = f"`{_cell(named.value.pattern)}`" if named.value else "no word, no name, no place"
        yield f"| `{named.id}` | {named.description} | {name} | {value} | {named.source} |\n"
    yield "\n## Settings\n\nIn `[scan]` of narthex.toml, or in `[tool.narthex.scan]` of pyproject.toml.\n\n"
    for title, model in (("", ScanSettings), ("exempt", Exempt), ("detector", OwnDetector)):
        yield f"\n`[[scan.{title}]]`, as many as there are:\n\n" if title else ""
        yield "| key | default | meaning |\n|---|---|---|\n"
        for key, about in model.model_fields.items():
            default = "required" if about.is_required() else f"`{about.get_default()!r}`"
            yield f"| `{key}` | {default} | {about.description} |\n"


def _keywords(one: Kind) -> str:
    shown = ", ".join(f"`{_cell(word)}`" for word in one.keywords[:6])
    return shown + (", ..." if len(one.keywords) > 6 else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  its purpose
