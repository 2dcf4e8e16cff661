"""The request's id and the app's own fields, in the threads where frameworks run plain functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.wire.narthex_run import House, narthex_run

JSON = "[plugins.logging]\n"
APPS = ["starlette", "fastapi", "litestar", "quart", "django", "wsgi"]


def lines_of_request(house: House) -> list[dict[str, Any]]:
    house.get("/x", **{"x-request-id": "from-alice"})
    found: list[dict[str, Any]] = []

    def complete() -> bool:
        found[:] = [json.loads(line) for line in house.stdout.splitlines()]
        return any(line["logger"] == "narthex.access" for line in found)

    house.until(complete)
    return [line for line in found if line["logger"] == "shop"]


@pytest.mark.parametrize("app", APPS)
def test_a_plain_function_s_lines_have_the_request_s_id_and_the_block_s_fields(app: str, tmp_path: Path) -> None:
    options = {"wsgi": True} if app == "wsgi" else {}
    named = "threads:wsgi" if app == "wsgi" else f"threads:{app}()"
    with narthex_run(named, tmp_path, JSON, **options) as house:
        inside, behind = lines_of_request(house)
    assert (inside["message"], inside["request_id"], inside["order"]) == ("packing", "from-alice", 7)
    assert (behind["message"], behind["request_id"], behind["main_thread"]) == ("packed", "from-alice", False)
    assert "order" not in behind


def test_threads_of_the_app_s_own_have_them_where_they_copy_the_context(tmp_path: Path) -> None:
    with narthex_run("threads:own()", tmp_path, JSON) as house:
        lines = lines_of_request(house)
    assert [(line["message"], line.get("request_id"), line.get("order")) for line in lines] == [
        ("packing", "from-alice", 7),
        ("packing again", "from-alice", 7),
        ("alone", None, None),
    ]
