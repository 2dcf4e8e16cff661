"""What `narthex alerts` writes, and what Prometheus' own tools say of it."""

import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from narthex.alerting import AlertRule
from narthex.cli import main
from narthex.config import load
from narthex.loader import survey
from narthex_plugins.alerts.choice import chosen
from narthex_plugins.alerts.plugin import given
from narthex_plugins.alerts.rulesfile import rules_yaml
from narthex_plugins.alerts.settings import AlertsSettings
from narthex_plugins.alerts.trial import trials
from tests.plugins.metrics.prometheus import needs_prometheus

ROOT = Path(__file__).parents[3]
EVERYTHING = """
[narthex]
secret_key = { env = "SHOP_SECRET_KEY" }
[plugins.metrics]
[plugins.alerts]
[plugins.auth]
issuer = "https://shop.example"
[[plugins.auth.issuers]]
issuer = "https://login.example"
audience = ["shop"]
[plugins.revocation]
[plugins.audit]
[plugins.events]
[plugins.logging]
[plugins.notifications]
[plugins.tracing]
"""
FEW = "[plugins.metrics]\n[plugins.alerts]\n"


class Done(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


def narthex(directory: Path, toml: str, *arguments: str, path: str = "") -> Done:
    """`narthex alerts ...`, in this process: a new one would take longer than the command."""
    (directory / "narthex.toml").write_text(toml)
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(StringIO()) as out,
        redirect_stderr(StringIO()) as errors,
    ):
        patch.chdir(directory)
        patch.setenv("SHOP_SECRET_KEY", "0123456789abcdef" * 2)
        patch.setattr(sys, "argv", ["narthex", "alerts", *arguments])
        if path:
            patch.setenv("PATH", path)
        with pytest.raises(SystemExit) as end:
            main()
    code = end.value.code or 0
    assert isinstance(code, int)
    return Done(code, out.getvalue(), errors.getvalue())


def promtool(directory: Path, *arguments: str) -> tuple[int, str]:
    """Its exit code, and all it says in the order it says it."""
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def all_rules(monkeypatch: pytest.MonkeyPatch, directory: Path) -> list[AlertRule]:
    monkeypatch.setenv("SHOP_SECRET_KEY", "0123456789abcdef" * 2)
    (directory / "narthex.toml").write_text(EVERYTHING)
    built = survey(load(directory / "narthex.toml"))
    return chosen(given(built.tenancy.boot_hooks["alert_rules"]), AlertsSettings.model_validate({}))


def names(text: str) -> set[str]:
    return set(re.findall(r"- alert: (\w+)", text))


def test_rules_are_those_of_what_is_switched_on(tmp_path: Path) -> None:
    few, everything = (names(narthex(tmp_path, toml, "rules").stdout) for toml in (FEW, EVERYTHING))
    assert everything - few == {
        "NarthexAuditCheckpointLate",
        "NarthexAuditDamaged",
        "NarthexAuditQueueFilling",
        "NarthexAuditRecordsLost",
        "NarthexAuditRefusing",
        "NarthexEventLogUnread",
        "NarthexEventStreamsDropping",
        "NarthexEventsLost",
        "NarthexIssuerUnreachable",
        "NarthexLogLinesDropped",
        "NarthexNotificationsCircuitOpen",
        "NarthexNotificationsDead",
        "NarthexNotificationsLate",
        "NarthexRecordsDropped",
        "NarthexRevocationStale",
        "NarthexSpanExportFailing",
        "NarthexSpansDropped",
        "NarthexStoreBacklog",
    }
    assert {"NarthexErrors", "NarthexAbsent"} <= few


@needs_prometheus
@pytest.mark.parametrize(
    ("toml", "alerts"), [(EVERYTHING, ""), (FEW, 'job = "shop"\nlabels = { team = "shop" }\n')], ids=["all", "one job"]
)
def test_every_rule_fires_when_it_should_and_only_then(tmp_path: Path, toml: str, alerts: str) -> None:
    toml = toml.replace("[plugins.alerts]\n", f"[plugins.alerts]\n{alerts}")
    done = narthex(tmp_path, toml, "test")
    count = len(names(narthex(tmp_path, toml, "rules").stdout))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{count} rules: each fires when it should, and is silent when it should be\n"


@needs_prometheus
def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    assert narthex(tmp_path, EVERYTHING, "rules", "--output", "rules.yml").returncode == 0
    count = len(names((tmp_path / "rules.yml").read_text()))
    code, told = promtool(tmp_path, "check", "rules", "rules.yml")
    assert (code, f"SUCCESS: {count} rules found" in told) == (0, True), told


@needs_prometheus
@pytest.mark.parametrize("wrong", ["deaf", "nervous", "hasty"])
def test_a_rule_that_is_wrong_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The tests are made for the rules as they are; here each is written down as another."""
    rules = [rule for rule in all_rules(monkeypatch, tmp_path) if rule.name != "NarthexAbsent"]
    for rule in rules:
        match wrong:
            case "deaf":
                other = replace(rule, above=rule.above * 100)
            case "nervous":
                other = replace(rule, above=rule.above * 0.1)
            case _:
                other = replace(rule, above=rule.above * 0.15 if rule.lasting > 300 else rule.above * 0.1, lasting=0)
        (tmp_path / f"{rule.name}-rules.yml").write_text(rules_yaml([other], ""))
        (tmp_path / f"{rule.name}.yml").write_text(trials([rule], f"{rule.name}-rules.yml", ""))
    _, told = promtool(tmp_path, "test", "rules", *(f"{rule.name}.yml" for rule in rules))
    tests = {part.split(".yml")[0]: part for part in told.split("Unit Testing:  ")[1:]}
    assert tests.keys() == {rule.name for rule in rules}, told
    assert [name for name, said in tests.items() if "FAILED" not in said or f"alertname: {name}" not in said] == []


def test_every_rule_has_a_page_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = (ROOT / "docs/runbooks/README.md").read_text()
    for rule in all_rules(monkeypatch, tmp_path):
        page = (ROOT / rule.runbook).read_text()
        assert page.startswith(f"# {rule.name}\n")
        assert all(word in page for word in ("**Do.**", "**It ends**")) or "**Look and do.**" in page, rule.name
        assert f"[{rule.name}]({Path(rule.runbook).name})" in index


def test_every_page_belongs_to_a_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {f"docs/runbooks/{page.name}" for page in (ROOT / "docs/runbooks").glob("*.md") if page.name != "README.md"}
    assert pages == {rule.runbook for rule in all_rules(monkeypatch, tmp_path)}


def test_thresholds_labels_and_runbooks_are_the_files(tmp_path: Path) -> None:
    toml = """
[plugins.metrics]
[plugins.alerts]
above = { NarthexSlow = 5 }
off = ["NarthexRefusals"]
labels = { team = "shop" }
job = "shop"
runbooks = "https://wiki.shop.example/runbooks/"
"""
    text = narthex(tmp_path, toml, "rules").stdout
    assert "NarthexRefusals" not in names(text)
    assert re.search(r'alert: NarthexSlow\n    expr: ".*job=\\"shop\\".* > 5"', text)
    assert text.count('team: "shop"') == len(names(text))
    assert 'runbook_url: "https://wiki.shop.example/runbooks/slow.md"' in text


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[plugins.metrics]\n[plugins.alerts]\noff = ['NarthexSlo']\n", "did you mean 'NarthexSlow'?"),
        ("[plugins.health]\n", "switch the plugin metrics on"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, toml: str, told: str) -> None:
    done = narthex(tmp_path, toml, "rules")
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_without_promtool_it_says_what_brings_it(tmp_path: Path) -> None:
    done = narthex(tmp_path, FEW, "test", path=str(tmp_path))
    assert (done.returncode, "Debian: prometheus" in done.stderr) == (2, True)


def test_the_dashboard_is_whole(tmp_path: Path) -> None:
    made = json.loads(narthex(tmp_path, EVERYTHING, "dashboards").stdout)
    panels = made["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Requests", "The house", "External issuers", "Revocation", "Audit",
        "Event streams", "Logging", "Notifications", "Tracing",
    ]  # fmt: skip
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for one in places
        for x in range(one["x"], one["x"] + one["w"])
        for y in range(one["y"], one["y"] + one["h"])
    ]
    assert len(set(cells)) == len(cells)  # none lies on another
