import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.slow import sampled
from tests.wire.differential.cases import CASES, slug
from tests.wire.differential.cell import AT_ONCE, FULL, SAMPLE, SERVERS, Cell, run
from tests.wire.differential.known import KNOWN, known
from tests.wire.differential.page import PAGE, figure, figures, render
from tests.wire.differential.starts import STARTS, Start, differences, start

# Each waits for its cell, and the machine may be busy.
pytestmark = pytest.mark.timeout(1200)
Key = tuple[str, str]
CELLS = FULL if os.environ.get("DIFFERENTIAL") == "full" else SAMPLE


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield threads
        threads.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def cells(pool: ThreadPoolExecutor) -> Mapping[Key, "Future[Cell]"]:
    """All cells, begun at once; a test waits for its own only."""
    return {key: pool.submit(run, *key) for key in CELLS}


@pytest.fixture(scope="module")
def starts(pool: ThreadPoolExecutor) -> Mapping[Key, "Future[dict[str, Start]]"]:
    """The same of the starts that fail, by case and server."""
    return {(case, server): pool.submit(start, STARTS[case], server) for case in STARTS for server in SERVERS}


@pytest.mark.parametrize("key", CELLS, ids="-".join)
def test_an_app_behind_narthex_says_and_sees_what_it_does_bare(
    cells: Mapping[Key, "Future[Cell]"], starts: Mapping[Key, "Future[dict[str, Start]]"], key: Key
) -> None:
    cell = cells[key].result()
    surprises = {case: found for case, found in cell.different.items() if not known(*key, case)}
    assert "\n".join(f"{case}\n  {each}" for case, found in surprises.items() for each in found) == ""


@pytest.mark.parametrize("key", CELLS, ids="-".join)
def test_most_cases_show_what_they_are_about_on_the_bare_server(cells: Mapping[Key, "Future[Cell]"], key: Key) -> None:
    cell = cells[key].result()
    expected = {case.name for case in CASES if key[0] in case.sites}
    assert expected <= set(cell.compared)
    assert len(cell.unable) < len(expected) / 4


@pytest.mark.parametrize("server", sampled(SERVERS, {"uvicorn-httptools", "granian"}.__contains__))
@pytest.mark.parametrize("case", STARTS)
def test_an_app_that_does_not_start_ends_the_server_as_it_does_bare(
    starts: Mapping[Key, "Future[dict[str, Start]]"], case: str, server: str
) -> None:
    assert "\n".join(differences(starts[case, server].result())) == ""


def test_the_page_has_the_figures_that_the_suite_found(cells: Mapping[Key, "Future[Cell]"]) -> None:
    told = figures(PAGE.read_text())
    assert list(told) == list(FULL)
    assert {key: told[key] for key in cells} == {key: figure(cell.result()) for key, cell in cells.items()}


@pytest.mark.skipif(CELLS != FULL, reason="the whole page is of all cells: DIFFERENTIAL=full")
def test_the_page_says_what_the_suite_found(cells: Mapping[Key, "Future[Cell]"]) -> None:
    found = render([cell.result() for cell in cells.values()])
    assert PAGE.read_text() == found, "`python -m tests.wire.differential` writes it"


def test_the_page_lists_the_cases_and_the_known_differences() -> None:
    page = PAGE.read_text()
    assert [case.name for case in CASES if f"- {case.name}\n" not in page] == []
    assert [case for case, one in KNOWN.items() if f"| {case} | " not in page or one.why not in page] == []


def test_cases_have_names_of_their_own_that_fit_a_header_field() -> None:
    slugs = [slug(case) for case in CASES]
    assert len(set(slugs)) == len(CASES)
    assert [one for one in slugs if not one.isascii() or len(one) > 100] == []


def test_known_differences_are_of_cases_that_there_are() -> None:
    assert set(KNOWN) <= {case.name for case in CASES if "raw" in case.sites}
