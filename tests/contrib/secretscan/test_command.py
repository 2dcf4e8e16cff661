"""`narthex scan`, as it is typed."""

import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from narthex.errors import BootError
from narthex_contrib.secretscan.command import scan as command
from tests.contrib.secretscan.forms import fill, secret
from tests.contrib.secretscan.running import scan

APP = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
APP.command()(command)
DRAW = random.Random(17)
ALLOW = "narthex:" + "allow"  # in one piece it would be an exemption of this file's own
TOKEN = secret("github-token", DRAW)
PASSWORD = fill("<A:1><a:6><0:3>!", DRAW)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, code: int, given: str | None = None) -> Result:
    result = CliRunner().invoke(APP, arguments, input=given)
    assert result.exit_code == code, (result.output, result.exception)
    assert TOKEN not in result.output
    assert PASSWORD not in result.output
    return result


def write(**files: str) -> None:
    for name, text in files.items():
        Path(name.replace("__", ".")).write_text(text)


def test_a_finding_is_exit_code_one_and_shows_no_secret() -> None:
    write(app__py=f'x = 1\ntoken = "{TOKEN}"\n')
    result = run(code=1)
    assert result.stdout == "app.py:2:10: github-token: GitHub token, certain: ghp_*** (40 characters)\n"
    assert "1 secret in 1 file" in result.stderr


def test_nothing_is_exit_code_zero() -> None:
    write(app__py="token = make()\n")
    assert run(code=0).stdout == ""


def test_standard_input() -> None:
    assert "<stdin>:1:14" in run("-", code=1, given=f"  DB_PASSWORD={PASSWORD}\n").stdout.replace("1:15", "1:14")


@pytest.mark.parametrize(
    "arguments", [["gone"], ["--staged", "--history"], ["--staged", "x"], ["-", "x"], ["--staged"]]
)
def test_misuse_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(APP, arguments)
    assert isinstance(result.exception, BootError)  # which is exit code 2


def test_misuse_and_findings_have_their_exit_codes(tmp_path: Path) -> None:
    write(app__py=f'token = "{TOKEN}"\n')
    assert [scan(tmp_path, *one).returncode for one in (["gone"], ["--frmat", "x"], [])] == [2, 2, 1]


def test_a_comment_with_a_reason_exempts_its_line() -> None:
    write(app__py=f'a = "{TOKEN}"  # {ALLOW} withdrawn in March\n')
    result = run("--format", "json", code=0)
    found = json.loads(result.stdout)["findings"][0]
    assert (found["exempted"], found["reason"]) == ("comment", "withdrawn in March")


def test_a_comment_above_exempts_the_line_below_and_no_other() -> None:
    write(app__py=f'# {ALLOW} withdrawn in March\na = "{TOKEN}"\nb = "{TOKEN}"\n')
    assert run(code=1).stdout.startswith("app.py:3:")


def test_a_comment_without_a_reason_exempts_nothing() -> None:
    write(app__py=f'a = "{TOKEN}"  # {ALLOW}\n')
    assert "gives no reason" in run(code=1).stdout


def test_a_comment_may_name_kinds() -> None:
    write(app__py=f'a = "{TOKEN}"  # {ALLOW}[jwt] withdrawn\n', b__py=f'a = "{TOKEN}"  # {ALLOW}[github-token] gone\n')
    result = run(code=1)
    assert "app.py:1" in result.stdout
    assert "b.py" not in result.stdout


def test_a_stale_comment_is_told_and_strict_makes_it_a_finding() -> None:
    write(app__py=f"a = 1  # {ALLOW} withdrawn in March\n")
    assert "stale exemption, app.py:1" in run(code=0).stderr
    run("--strict", code=1)


def configured(text: str) -> None:
    Path("pyproject.toml").write_text(text)


def test_exemptions_of_the_configuration_hold_where_they_say() -> None:
    write(app__py=f'a = "{TOKEN}"\n')
    configured('[[tool.narthex.scan.exempt]]\npath = "app.py"\nkind = "github-*"\nreason = "withdrawn"\n')
    run(code=0)
    configured('[[tool.narthex.scan.exempt]]\npath = "b.py"\nreason = "withdrawn"\n')
    assert "stale exemption, pyproject.toml" in run(code=1).stderr


def test_an_exemption_runs_out() -> None:
    write(app__py=f'a = "{TOKEN}"\n')
    configured('[[tool.narthex.scan.exempt]]\npath = "**"\nreason = "withdrawn"\nuntil = 2020-01-01\n')
    assert "ran out on 2020-01-01" in run(code=1).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tool.narthex.scan]\nexlude = ["x"]\n', "exlude"),
        ('[[tool.narthex.scan.exempt]]\npath = "x"\n', "reason"),
        ('[tool.narthex.scan]\ndisable = ["jwd"]\n', "jwd"),
        ('[[tool.narthex.scan.exempt]]\nreason = "why"\npattern = "("\n', "regular expression"),
        ('[[tool.narthex.scan.detector]]\nid = "jwt"\ndescription = "x"\npattern = "x"\nkeywords = ["xyz"]\n', "taken"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(text: str, said: str) -> None:
    configured(text)
    result = CliRunner().invoke(APP, [])
    assert said in str(result.exception)
    assert isinstance(result.exception, BootError)


def test_the_house_file_may_hold_the_table_too() -> None:
    from narthex.config import load

    write(app__py=f'a = "{TOKEN}"\n', narthex__toml='[scan]\nexclude = ["*.py"]\n')
    run(code=0)
    assert load("narthex.toml").plugins == ()


def test_excluded_disabled_and_large_files_are_left_out() -> None:
    write(app__py=f'a = "{TOKEN}"\n')
    Path("vendor/deep").mkdir(parents=True)
    Path("vendor/deep/x.py").write_text(f'a = "{TOKEN}"\n')
    configured('[tool.narthex.scan]\nexclude = ["vendor/**"]\n')
    assert run(code=1).stdout.count("github-token") == 1
    configured('[tool.narthex.scan]\nexclude = ["vendor"]\ndisable = ["github-token", "generic-secret"]\n')
    run(code=0)
    configured('[tool.narthex.scan]\nexclude = ["vendor/"]\nmax_size = "16B"\n')
    assert "not looked at, too large: app.py" in run(code=0).stderr


def test_detectors_of_ones_own_are_looked_for() -> None:
    configured(
        '[[tool.narthex.scan.detector]]\nid = "acme-token"\ndescription = "Token of Acme"\n'
        "pattern = 'acme_[a-z0-9]{16}'\nkeywords = ['acme_']\nentropy = 2.5\n"
    )
    write(app__py="a = 'acme_" + fill("<l:16>", DRAW) + "'\nb = 'acme_aaaaaaaaaaaaaaaa'\n")
    assert run(code=1).stdout.count("acme-token: Token of Acme") == 1


def test_a_pattern_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narthex_contrib.secretscan.scanning._TOO_SLOW", 0.1)
    configured(
        '[[tool.narthex.scan.detector]]\nid = "acme-token"\ndescription = "x"\n'
        "pattern = 'acme(a+)+$'\nkeywords = ['acme']\n"
    )
    write(app__py="acme" + "a" * 60 + "b\n")
    result = CliRunner().invoke(APP, ["app.py"])
    assert "take longer than" in str(result.exception)


def test_checksums_may_be_required() -> None:
    write(app__py="x = ghp_" + fill("<w:36>", DRAW) + "\n")
    run(code=1)
    configured("[tool.narthex.scan]\nchecksums = true\n")
    run(code=0)


def test_a_baseline_knows_what_was_there_and_nothing_new() -> None:
    write(app__py=f'a = "{TOKEN}"\n')
    run("--write-baseline", "known.json", "--reason", "to be withdrawn", code=0)
    kept = json.loads(Path("known.json").read_text())
    assert (kept["findings"][0]["reason"], TOKEN in Path("known.json").read_text()) == ("to be withdrawn", False)
    run("--baseline", "known.json", code=0)
    write(app__py=f'a = "{secret("github-token", DRAW)}"\n')
    result = run("--baseline", "known.json", code=1)
    assert "stale exemption, known.json: github-token in app.py" in result.stderr


def test_a_baseline_runs_out_and_its_reasons_stay() -> None:
    write(app__py=f'a = "{TOKEN}"\n')
    run("--write-baseline", "known.json", "--reason", "to be withdrawn", "--until", "2020-01-01", code=0)
    assert "the baseline knew it until 2020-01-01" in run("--baseline", "known.json", code=1).stdout
    run("--write-baseline", "known.json", "--reason", "another", code=0)
    assert json.loads(Path("known.json").read_text())["findings"][0]["reason"] == "to be withdrawn"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2}', '{"version": 1, "salt": "0", "findings": [{}]}'])
def test_a_broken_baseline_is_refused(text: str) -> None:
    Path("known.json").write_text(text)
    assert isinstance(CliRunner().invoke(APP, ["--baseline", "known.json"]).exception, BootError)


def test_fail_fast_ends_at_the_first() -> None:
    for number in range(3):
        Path(f"a{number}.py").write_text(f'a = "{TOKEN}"\nb = "{TOKEN}"\n')
    result = run("--fail-fast", code=1)
    assert len(result.stdout.splitlines()) == 1
    assert "ended at the first finding" in result.stderr


def test_processes_find_the_same_as_one() -> None:
    for number in range(40):
        Path(f"a{number:02}.py").write_text("x = 1\n" * 10_000 + f'a = "{TOKEN}"\n')
    assert run("--jobs", "3", code=1).stdout == run("--jobs", "1", code=1).stdout


# The part of the SARIF 2.1.0 schema that says what has to be there, and of what type.
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_PLACE = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {"properties": {"uri": {"type": "string", "format": "uri-reference"}}},
                "region": {"additionalProperties": {"type": "integer", "minimum": 1}},
            },
        }
    },
}
_RESULT = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": _TEXT,
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "locations": {"type": "array", "items": _PLACE},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "suppressions": {
            "type": "array",
            "items": {
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["inSource", "external"]},
                    "status": {"enum": ["accepted", "underReview", "rejected"]},
                },
            },
        },
    },
}
_DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {"required": ["id"]}}},
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string"},
        "version": {"enum": ["2.1.0"]},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {"type": "object", "required": ["driver"], "properties": {"driver": _DRIVER}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "results": {"type": "array", "items": _RESULT},
                },
            },
        },
    },
}


def test_sarif_is_what_its_schema_asks_for() -> None:
    write(app__py=f'a = "{TOKEN}"\nb = "{TOKEN}"  # {ALLOW} withdrawn in March\n')
    run("--format", "sarif", "--output", "out.sarif", code=1)
    text = Path("out.sarif").read_text()
    document = json.loads(text)
    pytest.importorskip("jsonschema").validate(document, SARIF)
    first, second = document["runs"][0]["results"]
    assert TOKEN not in text
    assert first["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    assert document["runs"][0]["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    assert second["suppressions"][0]["justification"] == "withdrawn in March"
    assert first["partialFingerprints"] != second["partialFingerprints"]


def test_kinds_are_listed() -> None:
    assert len(run("--list", code=0).stdout.splitlines()) >= 60


def test_this_repository_holds_none() -> None:
    done = scan(Path(__file__).parents[3])
    assert done.returncode == 0, done.stdout + done.stderr
