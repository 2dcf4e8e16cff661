import json

import pytest

from narthex.hooks import Health
from narthex_plugins.health.report import report

WELL, WORRIED, ILL = Health("pass"), Health("warn", "slow"), Health("fail", "gone")


@pytest.mark.parametrize(
    ("checks", "status", "http"),
    [
        ([], "pass", 200),
        ([WELL, WELL], "pass", 200),
        ([WELL, WORRIED, WELL], "warn", 200),
        ([ILL, WORRIED, WELL], "fail", 503),
        ([WELL, ILL], "fail", 503),
    ],
)
def test_the_whole_is_as_bad_as_the_worst(checks: list[Health], status: str, http: int) -> None:
    summed = report({str(number): check for number, check in enumerate(checks)})
    assert (summed.status, summed.http_status) == (status, http)


def test_without_details_only_the_status_is_told() -> None:
    assert report({"audit": ILL}).body(details=False) == b'{"status":"fail"}'


def test_details_name_each_check_in_the_form_of_the_draft() -> None:
    told = json.loads(report({"audit": ILL, "auth": WELL}).body(details=True))
    assert told["checks"] == {"audit": [{"status": "fail", "output": "gone"}], "auth": [{"status": "pass"}]}
