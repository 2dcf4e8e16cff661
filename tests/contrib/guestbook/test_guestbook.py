"""The guest book takes down whatever anybody asks for, on any store."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from narthex.testing import Client, config
from tests.core.store.conftest import _schema


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/narthex.db"
        return
    with contextmanager(_schema)() as url:
        yield url


@pytest.mark.parametrize(
    ("path", "noted"),
    [("/a\0b", "/a?b"), ("/half\ud800", "/half?"), ("/" + "x" * 9000, "/" + "x" * 1999), ("/é", "/é")],
)
def test_a_path_that_no_database_would_take_is_noted_all_the_same(path: str, noted: str, store: str) -> None:
    with Client(config=config({"store": store}, guestbook={})) as client:
        client.get("/before")
        client.get(path)
        client.get("/after")
        deadline, found = time.monotonic() + 10, list[str]()
        while "/after" not in found and time.monotonic() < deadline:
            found = [visit["path"] for visit in json.loads(client.get("/_narthex/guestbook").body)]
    assert found[-3:][::-1] == ["/before", noted, "/after"]
