"""What Prometheus reads."""

import gzip
import shutil
import subprocess
from collections.abc import Callable, Iterable

import pytest
from prometheus_client import Metric

from narthex_plugins.metrics.exposition import OPEN, PLAIN, media_type, page
from narthex_plugins.metrics.families import Exemplar, Family, Row
from tests.plugins.metrics.reading import read_open, read_plain

COUNT = Family("seen_total", "counter", 'Seen "x" \\ y.', ("kind",))
AGE = Family("age_seconds", "gauge", "Age.", (), (), "max")
TOOK = Family("narthex_http_request_duration_seconds", "histogram", "Took.", ("method", "route", "status"), (0.1, 1.0))
LABELS = ("GET", '/a"b\\c\n{id}', "200")
ROWS = [
    Row(COUNT, ("é",), [3.0]),
    Row(AGE, (), [float("inf")]),
    Row(TOOK, LABELS, [1.0, 2.0, 0.0, 1.5], {1: Exemplar(0.5, 1700000000.25, "4b" * 16)}),
]


@pytest.mark.parametrize(("kind", "read"), [(PLAIN, read_plain), (OPEN, read_open)], ids=["plain", "open"])
def test_it_reads_back_as_it_was(kind: str, read: Callable[[str], Iterable[Metric]]) -> None:
    text = page(ROWS, kind, zipped=False).decode()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in read(text)
        for sample in family.samples
    }
    labels = dict(zip(TOOK.labels, LABELS, strict=True)).items()
    name = TOOK.name
    assert samples == {
        ("seen_total", ("kind", "é")): 3.0,
        ("age_seconds",): float("inf"),
        ("narthex_http_requests_total", *sorted(labels)): 3.0,
        (f"{name}_bucket", *sorted([("le", "0.1"), *labels])): 1.0,
        (f"{name}_bucket", *sorted([("le", "1.0"), *labels])): 3.0,
        (f"{name}_bucket", *sorted([("le", "+Inf"), *labels])): 3.0,
        (f"{name}_count", *sorted(labels)): 3.0,
        (f"{name}_sum", *sorted(labels)): 1.5,
    }


def test_exemplars_are_shown_in_openmetrics_alone() -> None:
    shown = [
        (sample.labels["le"], sample.exemplar.labels, sample.exemplar.value, float(sample.exemplar.timestamp or 0))
        for family in read_open(page(ROWS, OPEN, zipped=False).decode())
        for sample in family.samples
        if sample.exemplar
    ]
    assert shown == [("1.0", {"trace_id": "4b" * 16}, 0.5, 1700000000.25)]
    assert b"trace_id" not in page(ROWS, PLAIN, zipped=False)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", PLAIN),
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75", OPEN),
        ("text/html, Application/OpenMetrics-Text; version=x\ny", OPEN),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(accept: str, kind: str) -> None:
    assert media_type(accept) == kind


def test_it_can_be_compressed() -> None:
    assert gzip.decompress(page(ROWS, PLAIN, zipped=True)) == page(ROWS, PLAIN, zipped=False)


def test_a_page_without_anything_is_one_all_the_same() -> None:
    assert (page([], PLAIN, zipped=False), page([], OPEN, zipped=False)) == (b"", b"# EOF\n")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_has_nothing_to_say_of_it() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page(ROWS, PLAIN, zipped=False), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
