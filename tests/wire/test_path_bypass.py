"""Can any spelling of a path get past a rule? Real servers, real frameworks, raw bytes.

A policy denies `/admin/**` to everyone. A bypass is an answer that carries the guarded endpoint's words, or a note
that it ran. That this suite can fail is shown twice: without the guard the endpoint answers in every cell, and
with `strict_paths = false` some spelling gets through to most frameworks.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.wire.apps.marks import ADMIN, PUBLIC
from tests.wire.client import RawClient
from tests.wire.servers import serve
from tests.wire.targets import Probe, probes, websocket_probes

FRAMEWORKS = ("starlette", "fastapi", "litestar", "quart", "django", "wsgi", "raw")
WITHOUT_SOCKETS = ("django", "wsgi")
PREPENDS = ("uvicorn-h11", "uvicorn-httptools")  # the root path to the path; the others expect it there
QUIET = {"hypercorn": "CRITICAL"}
ORDINARY = (
    "/public",
    "/public/",
    "/items/42",
    "/items/a%20b",
    "/items/%C3%A4",
    "/items/a.b",
    "/items/a;b=c",
    "/nothing",
)


@dataclass(frozen=True, slots=True)
class House:
    """One server process, with the places in which it is asked."""

    server: str
    root: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.server}{self.root}"

    def prefix(self, place: str) -> str:
        root = "" if self.server in PREPENDS else self.root
        return root + ("" if place == "plain" else "/sub")

    def probes(self, framework: str, place: str) -> list[Probe]:
        prefix, roots = self.prefix(place), tuple(filter(None, [self.root, "" if place == "plain" else "/sub"]))
        sockets = [] if framework in WITHOUT_SOCKETS else websocket_probes(prefix, roots)
        return probes(prefix, roots) + sockets


HOUSES = (
    House("hypercorn", "", ("plain", "mounted")),
    House("uvicorn-h11", "", ("plain", "mounted", "below")),
    House("hypercorn", "/api", ("plain", "mounted")),
    House("uvicorn-h11", "/api", ("plain", "mounted")),
    House("uvicorn-httptools", "", ("plain", "mounted")),
    House("uvicorn-httptools", "/api", ("plain", "mounted")),
    House("granian", "", ("plain", "mounted", "below")),
    House("granian", "/api", ("plain", "mounted")),
    House("gunicorn", "", ("plain",)),
)
LAX = HOUSES[1]
CELLS = [(house, framework, place) for house in HOUSES for framework in FRAMEWORKS for place in house.places]


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of one cell.

    Attributes:
        reached: the control: without the guard /admin answers, with it /public does.
        changed: paths that are not odd and were not answered as without the guard.
        bypasses: spellings whose answer carried the guarded endpoint's words.
        ran: the notes that the guarded endpoint left.
        lax: the bypasses with `strict_paths = false`, asked for in some houses only.
    """

    reached: bool
    changed: tuple[str, ...]
    bypasses: tuple[str, ...]
    ran: tuple[str, ...]
    lax: tuple[str, ...]


def examine(client: RawClient, house: House, framework: str, place: str) -> Findings:
    """Send everything to one cell."""
    cell, prefix = f"{framework} {place}", house.prefix(place)
    ordinary = [Probe((prefix + path).encode()) for path in ORDINARY]
    bare = [_shape(client, each, f"{cell} none") for each in ordinary]
    strict = [_shape(client, each, f"{cell} strict") for each in ordinary]
    reached = PUBLIC in strict[0][1] and bool(_bypasses(client, [Probe(f"{prefix}/admin".encode())], f"{cell} none"))
    client.send(Probe(b"/"), "")  # forget that it ran
    probes = house.probes(framework, place)
    bypasses = _bypasses(client, probes, f"{cell} strict")
    ran = json.loads(client.send(Probe(b"/"), "").partition(b"\r\n\r\n")[2])
    lax = _bypasses(client, probes, f"{cell} lax") if house == LAX and place == "plain" else ()
    changed = tuple(str(probe) for probe, one, other in zip(ordinary, bare, strict, strict=True) if one != other)
    return Findings(reached, changed, bypasses, tuple(ran), lax)


def _bypasses(client: RawClient, probes: list[Probe], cell: str) -> tuple[str, ...]:
    return tuple(str(probe) for probe in probes if ADMIN.encode() in client.send(probe, cell))


def _shape(client: RawClient, probe: Probe, cell: str) -> tuple[str, str]:
    """Give status and body."""
    head, _, body = client.send(probe, cell).partition(b"\r\n\r\n")
    return head[9:12].decode(), body.decode(errors="replace")


def examine_house(house: House) -> dict[tuple[str, str], Findings]:
    """Serve every cell from one process and go through them one by one."""
    quiet = [f"--log-level={QUIET.get(house.server, 'critical')}"]
    with (
        serve("tests.wire.apps.cells:app", house.server, root_path=house.root, extra=quiet) as server,
        closing(RawClient(server.port)) as client,
    ):
        cells = [(framework, place) for framework in FRAMEWORKS for place in house.places]
        return {(framework, place): examine(client, house, framework, place) for framework, place in cells}


Results = dict[House, Future[dict[tuple[str, str], Findings]]]


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """Two servers at a time, as many as a small machine has cores."""
    with ThreadPoolExecutor(2) as pool:
        yield {house: pool.submit(examine_house, house) for house in HOUSES}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("house", "framework", "place"), CELLS, ids=str)
def test_no_spelling_gets_past_a_rule(results: Results, house: House, framework: str, place: str) -> None:
    found = results[house].result()[framework, place]
    assert found.reached
    assert found.bypasses == ()
    assert found.ran == ()
    assert found.changed == ()


@pytest.mark.parametrize(
    ("framework", "spelling"),
    [
        ("starlette", "GET b'/admin%0a'"),
        ("fastapi", "GET b'/admin%0a'"),
        ("litestar", "GET b'//admin'"),
        ("quart", "GET b'http://h/admin'"),
        ("wsgi", "GET b'//admin'"),
        ("raw", "GET b'/public/%2e%2e/admin'"),
    ],
)
def test_without_strict_paths_some_spelling_gets_through(results: Results, framework: str, spelling: str) -> None:
    assert spelling in results[LAX].result()[framework, "plain"].lax
