"""What to try in the demo: one group of commands per feature, as they are typed."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

Group = tuple[str, tuple[str, ...]]
"""What one sees, and the commands that show it."""
TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""A caller's `traceparent` (W3C Trace Context §3.2)."""
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
            "a request of a trace that began elsewhere: its log line bears the caller's trace id",
            (f"curl {address}/api/orders/1 -H 'traceparent: {TRACE}'",),
        ),
        (
            "a token in a path, which no line tells; and the shop's own lines turned down, without a restart",
            (
                f"curl {address}/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk",
                f"{narthex} log-level shop warning --config {file}",
            ),
        ),
        (
            "figures for Prometheus: requests by route, refusals, what each plugin costs; and rules to be woken by",
            (f"curl {address}/api/metrics", f"{narthex} alerts rules --config {file}"),
        ),
        (
            "what the embedded store keeps: the latest visits, whatever ends the process",
            (f"curl {address}/_narthex/guestbook",),
        ),
        *_who(address, python, narthex, file, passwords),
        *_may(address, python, narthex, file, passwords),
        (
            "who did all that: a log that nobody can change unseen, and the proof of it",
            (f"{narthex} audit list --config {file}", f"{narthex} audit verify --config {file}"),
        ),
        (
            "somebody is told: a test of the channel `ops`, and what became of it",
            (f"{narthex} notifications test ops --config {file}", f"{narthex} notifications list --config {file}"),
        ),
        (
            "a plugin switched off while requests pass: no restart, no request lost",
            (
                f"sed -i 's/^.plugins.guestbook.*/&\\nenabled = false/' {file} && {narthex} reload --config {file}",
                f"curl -i {address}/_narthex/guestbook",
            ),
        ),
        (
            "a password on its way into a repository, found and not printed",
            (f"{python} -c 'import secrets; print(\"DB_PASSWORD=\" + secrets.token_hex(16))' | {narthex} scan -",),
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


def _may(address: str, python: str, narthex: str, file: str, passwords: Mapping[str, str]) -> tuple[Group, ...]:
    """What each role may, why, and how it is taken away; nothing without an account for each role."""
    if not {"alice", "erin", "adam"} <= passwords.keys():
        return ()
    own, house = f"-H 'origin: {address}'", f"{address}/_narthex"
    as_json = "-H 'content-type: application/json'"
    subject = f'$({python} -c \'import json; print(json.load(open("alice.json"))["subject"])\')'
    return (
        (
            "the office behind the shop: a user, an engineer and an admin, who log in as a browser does",
            tuple(
                f"curl -s {house}/auth/login -c {name}.jar {own} -d cookie=true -d username={name} "
                f"-d password={passwords[name]} | tee {name}.json"
                for name in ("alice", "erin", "adam")
            ),
        ),
        (
            "each may what the file says: figures, then every order, then cancelling one",
            (
                f"curl -b alice.jar {address}/office/figures",
                f"curl -b alice.jar {address}/office/orders",
                f"curl -b erin.jar {address}/office/orders",
                f"curl -b erin.jar {own} -X DELETE {address}/office/orders/2",
                f"curl -b adam.jar {own} -X DELETE {address}/office/orders/2",
            ),
        ),
        (
            "why, rule and line, without sending it; and the same for programs, asked by an admin",
            (
                f"{narthex} explain DELETE /office/orders/2 --as erin --config {file}",
                f"curl -b adam.jar '{house}/explain?method=DELETE&path=/office/orders/2&as=erin'",
            ),
        ),
        (
            "whom a rule in shadow mode would have refused: download first",
            (f"curl -b adam.jar {house}/access-soon/denials",),
        ),
        (
            "what happens in the house, as it happens: leave it open, then go on here in another terminal",
            (f"curl -N -b adam.jar '{house}/events?topic=auth.>&topic=revocation.>&topic=narthex.refused'",),
        ),
        (
            "the admin revokes alice: what she has open ends, and what she shows is refused",
            (
                f"curl -N -b alice.jar {address}/stream &",
                f'curl -b adam.jar {own} {house}/revocations {as_json} -d "{{\\"subject\\": \\"{subject}\\"}}"',
                f"curl -b alice.jar {address}/office/figures",
            ),
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
