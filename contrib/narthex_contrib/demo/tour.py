"""What to try in the demo: one group of commands per feature, as they are typed."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

Group = tuple[str, tuple[str, ...]]
"""What one sees, and the commands that show it."""
_NOBODY: Mapping[str, str] = {}


def groups(address: str, programs: Path, config: Path, passwords: Mapping[str, str] = _NOBODY) -> tuple[Group, ...]:
    """Give the tour.

    Args:
        address: of the server, like "http://127.0.0.1:8000".
        programs: the directory of this environment's `python` and `narthex`.
        config: the configuration file.
        passwords: of the accounts that were made just now.
    """
    python, narthex, file = typed(programs / "python"), typed(programs / "narthex"), typed(config)
    order = '{"customer": "Grace", "item": "rope", "quantity": 3}'
    return (
        ("the page, in a browser", (f"{address}/",)),
        (
            "orders; the confirmation follows the answer by half a second",
            (
                f"curl {address}/api/orders",
                f"curl {address}/api/orders -H 'content-type: application/json' -d '{order}'",
                f"curl {address}/api/orders/1",
            ),
        ),
        (
            "a file, hashed as it arrives",
            (f"echo hello | curl {address}/upload -F 'file=@-;filename=hello.txt'",),
        ),
        ("a download, written while it is sent", (f"curl '{address}/download?rows=2000000' -o ledger.csv",)),
        ("server-sent events, one a second", (f"curl -N {address}/stream",)),
        ("a chat over a websocket", (f"{python} -m websockets '{websocket(address)}/ws?name=ada'",)),
        ("an endpoint that fails; its traceback is in the log", (f"curl {address}/fail",)),
        (
            "what Narthex adds: an id on every answer and every line, health",
            (f"curl -i {address}/api/orders/1 -H 'x-request-id: my-own-id'", f"curl {address}/readyz"),
        ),
        (
            "what the embedded store keeps: the latest visits, whatever ends the process",
            (f"curl {address}/_narthex/guestbook",),
        ),
        *_who(address, python, narthex, file, passwords),
        (
            "a plugin switched off while requests pass: no restart, no request lost",
            (
                f"sed -i 's/^.plugins.guestbook.*/&\\nenabled = false/' {file} && {narthex} reload --config {file}",
                f"curl -i {address}/_narthex/guestbook",
            ),
        ),
        (
            "how it is put together, and how to change it",
            (
                f"{narthex} explain --config {file}",
                f"cp {file} {typed(config.with_name('secret.key'))} . && {narthex} demo --config narthex.toml",
            ),
        ),
    )


def _who(address: str, python: str, narthex: str, file: str, passwords: Mapping[str, str]) -> tuple[Group, ...]:
    """Logging in, calling, refreshing, logging out, as the first of the accounts; nothing without one."""
    if not passwords:
        return ()
    name, password = next(iter(passwords.items()))
    auth = f"{address}/_narthex/auth"
    pick = f"{python} -c 'import json,sys; print(json.load(open(\"tokens.json\"))[sys.argv[1]])'"
    return (
        (
            f"log in as {name}: a token to call with, and one to get the next",
            (
                f"curl -s {auth}/login -d username={name} -d password={password} | tee tokens.json",
                f'curl {auth}/me -H "authorization: Bearer $({pick} access_token)"',
                f"curl -s {auth}/refresh -d refresh_token=$({pick} refresh_token) | tee new.json",
                f'curl {auth}/logout -X POST -H "authorization: Bearer $({pick} access_token)"',
            ),
        ),
        (
            "the keys that others verify the tokens by, and another one",
            (f"curl {address}/.well-known/jwks.json", f"{narthex} keys rotate --config {file}"),
        ),
    )


def typed(path: Path) -> str:
    """A path as one types it here: relative where that is shorter, quoted where it must be."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def websocket(address: str) -> str:
    """The address as websocket clients want it."""
    return address.replace("http", "ws", 1)


def lines(tour: tuple[Group, ...], *, colour: bool) -> Iterator[str]:
    """Give the tour as lines for a terminal; without colour there is not one escape sequence in them."""
    for title, commands in tour:
        yield f"  \x1b[1m{title}\x1b[0m" if colour else f"  {title}"
        for command in commands:
            yield f"    \x1b[36m{command}\x1b[0m" if colour else f"    {command}"
