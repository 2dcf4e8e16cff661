"""The contract that every plugin keeps, whoever wrote it, as a test class that one line adds to a test file.

    TestContract = contract("curfew")

Each check is a function of a `Subject`: it returns, raises `Finding` (what is wrong, and what to do), or `NotNow`
where another check tells of what is in its way, so that one fault is one failure. Pytest is imported here and nowhere
else in narthex, and only once a check has something to say.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from narthex.clock import Clock
from narthex.identity import Identity
from narthex.testing.suite import faults, lifetime, shape, transparency
from narthex.testing.suite.subject import Check, Finding, NotNow, Subject

CHECKS: Final[tuple[Check, ...]] = (
    shape.it_can_be_built,
    shape.it_says_what_it_is_for,
    shape.it_refuses_a_key_it_does_not_know,
    shape.its_settings_cannot_be_changed,
    shape.every_setting_has_a_description,
    shape.no_secret_is_shown,
    shape.its_example_can_be_followed,
    shape.a_page_names_every_setting,
    shape.its_requirement_holds,
    shape.its_endpoints_say_who_may_call,
    shape.off_it_is_not_imported,
    lifetime.nothing_is_opened_while_it_is_built,
    lifetime.it_starts_and_stops_twice,
    lifetime.nothing_is_left_after_its_stop,
    lifetime.a_client_that_goes_leaves_nothing_behind,
    lifetime.two_instances_live_side_by_side,
    lifetime.two_instances_share_nothing,
    transparency.a_welcome_caller_comes_through,
    transparency.nothing_is_written_into_the_callers_scope,
    transparency.repeated_headers_stay_apart,
    transparency.chunks_are_passed_on_at_once,
    transparency.the_response_starts_once,
    transparency.the_answer_is_the_apps_own,
    transparency.websockets_pass,
    transparency.an_exception_of_the_app_passes,
    transparency.a_cancellation_passes,
    transparency.the_loop_is_not_blocked,
    transparency.odd_requests_break_no_hook,
    faults.a_guard_that_cannot_judge_refuses,
    faults.an_exception_in_a_hook_fails_closed_or_changes_nothing,
)


def contract(
    plugin: str,
    *,
    settings: Mapping[str, object] | None = None,
    second: Mapping[str, object] | None = None,
    headers: Sequence[tuple[str, str]] = (),
    identity: Identity | None = None,
    clock: Clock | None = None,
    docs: Path | None = None,
) -> type[object]:
    """Make the test class that puts a plugin to the contract.

    `TestContract = contract("curfew")` is the whole of it. The plugin's table is that of its own `example.toml`, with
    what that needs of the environment made up; the clock says noon. Where that is not enough for the suite's plain
    requests to come through:

    Args:
        plugin: the entry point's name, or "package.module:Class".
        settings: its table, in place of the example's.
        second: keys that a second instance has to change: the path of an endpoint, a file.
        headers: what a welcome caller sends.
        identity: who a welcome caller is.
        clock: in place of the suite's.
        docs: its page, where it is none of docs/reference/plugins/, docs/plugins/, docs/ or README.md.
    """
    subject = Subject(plugin, settings, second or {}, headers, identity, clock, docs)
    tests = {f"test_{check.__name__}": _test(check, subject) for check in CHECKS}
    return type("TestContract", (), {"__doc__": f"The contract of every plugin, for {plugin}.", **tests})


def _test(check: Check, subject: Subject) -> Callable[..., None]:
    def test(self: object, tmp_path: Path, monkeypatch: Any, request: Any) -> None:
        monkeypatch.chdir(tmp_path)
        result: Finding | NotNow | None = None
        try:
            check(subject.prepared(request.path, monkeypatch.setenv))
        except (Finding, NotNow) as error:
            result = error
        match result:  # here, where pytest no longer sees what it came of
            case NotNow():
                _pytest().skip(str(result))
            case Finding():
                _pytest().fail(f"{subject.use}: {check.__doc__}\n\n  {result}\n", pytrace=False)
            case None:
                pass

    test.__doc__ = check.__doc__
    return test


def _pytest() -> Any:
    """Pytest, which narthex itself does not need."""
    import pytest  # noqa: PLC0415

    return pytest
