"""What the loader takes and what it refuses, each refusal with the line of the file and a way out."""

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from narthex import PUBLIC, Deny, Exchange, House, Inside, Narthex, Outside, Route, hookimpl
from narthex.config import load
from narthex.errors import BootError, PluginError
from narthex.loader import survey
from narthex.services import Permissions
from narthex.testing import config
from tests.apps import Hello
from tests.guests import NoSettings, offer, seat


class Guest:
    """A plugin that implements nothing; the tests add to it."""

    name: ClassVar = "guest"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None:
        self.house = house


def refusal(made: type[Any], **keys: object) -> PluginError:
    """The error that a plugin class brings about."""
    with pytest.raises(PluginError) as caught:
        survey(load(config(guest=seat(made, **keys))))
    return caught.value


def file_refusal(tmp_path: Path, text: str) -> PluginError:
    path = tmp_path / "narthex.toml"
    path.write_text(textwrap.dedent(text))
    with pytest.raises(PluginError) as caught:
        survey(load(path))
    return caught.value


def test_an_unknown_plugin_is_named_with_its_line_and_the_nearest_known(tmp_path: Path) -> None:
    error = file_refusal(tmp_path, "\n\n[plugins.loging]\n")
    assert Path(error.where).name == "narthex.toml:3"
    assert "'loging'" in str(error)
    assert "did you mean 'logging'?" in error.hint
    assert "health" in error.hint


def test_use_names_an_entry_point_or_a_class() -> None:
    built = survey(load(config(probe={"use": "health"}, someone={"use": "tests.guests:Person"})))
    assert [guest.name for guest in built.guests] == ["probe", "someone"]
    assert type(built.guests[1].plugin).__name__ == "Person"


@pytest.mark.parametrize(
    ("use", "word"),
    [
        ("tests.guests:Nobody", "Nobody"),
        ("tests.no_such_module:Person", "no_such_module"),
        ("tests.guests:act", "not a plugin"),
        ("tests.guests:asyncio", "not a plugin"),
    ],
)
def test_use_that_leads_nowhere_is_explained(tmp_path: Path, use: str, word: str) -> None:
    error = file_refusal(tmp_path, f'[plugins.someone]\nuse = "{use}"\n')
    assert Path(error.where).name == "narthex.toml:1"
    assert word in str(error)
    assert "someone" in str(error)


def test_a_class_within_a_class_can_be_named() -> None:
    table = {"use": f"{seat(type('Outer', (), {'Guest': Guest}))['use']}.Guest"}
    assert isinstance(survey(load(config(guest=table))).guests[0].plugin, Guest)


def test_a_class_without_settings_is_no_plugin() -> None:
    error = refusal(type("Bare", (), {"name": "bare"}))
    assert "`Settings`" in str(error)


def test_a_class_without_a_name_is_no_plugin() -> None:
    error = refusal(type("Nameless", (), {"Settings": NoSettings}))
    assert "`name`" in str(error)


def test_a_misspelt_hook_names_the_hook_that_was_meant() -> None:
    error = refusal(type("Typo", (Guest,), {"authentcate": hookimpl(lambda self, exchange: None)}))
    assert "'authentcate'" in str(error)
    assert error.hint == "did you mean 'authenticate'?"


def test_a_hook_like_no_other_gets_the_list_of_hooks() -> None:
    error = refusal(type("Odd", (Guest,), {"zzz": hookimpl(lambda self: None)}))
    assert "admit, authenticate" in error.hint


def test_an_optional_hook_that_does_not_exist_is_refused_too() -> None:
    error = refusal(type("Odd", (Guest,), {"vett": hookimpl(lambda self, exchange: None, optionalhook=True)}))
    assert error.hint == "did you mean 'vet'?"


@pytest.mark.parametrize("order", ["tryfirst", "trylast"])
def test_hidden_order_is_refused(order: str) -> None:
    mark = hookimpl(tryfirst=order == "tryfirst", trylast=order == "trylast")
    error = refusal(type("Pushy", (Guest,), {"vet": mark(lambda self, exchange: None)}))
    assert "vet asks to be called first or last" in str(error)
    assert "the order of the file" in error.hint


@pytest.mark.parametrize("kind", ["wrapper", "hookwrapper"])
def test_a_hook_wrapper_is_refused(kind: str) -> None:
    def vet(self: object, exchange: Exchange) -> Any:
        return (yield)

    mark = hookimpl(wrapper=kind == "wrapper", hookwrapper=kind == "hookwrapper")
    error = refusal(type("Wrapping", (Guest,), {"vet": mark(vet)}))
    assert "wrapper" in str(error)
    assert "`wrap`" in error.hint


def test_a_generator_is_refused() -> None:
    def observe(self: object, exchange: Exchange) -> Any:
        yield

    async def vet(self: object, exchange: Exchange) -> Any:
        yield

    assert "observe is a generator" in str(refusal(type("Gen", (Guest,), {"observe": hookimpl(observe)})))
    assert "vet is a generator" in str(refusal(type("Gen", (Guest,), {"vet": hookimpl(vet)})))


def test_an_async_boot_hook_that_cannot_wait_is_refused() -> None:
    async def routes(self: object) -> list[Route]:
        return []

    error = refusal(type("Slow", (Guest,), {"routes": hookimpl(routes)}))
    assert "routes is async" in str(error)
    assert "`start`" in error.hint


def test_wrong_arguments_are_named() -> None:
    error = refusal(type("Wrong", (Guest,), {"vet": hookimpl(lambda self, request: None)}))
    assert "plugin guest" in str(error)
    assert "request" in str(error)
    assert "0x" not in str(error)


def test_a_hook_may_leave_the_exchange_out() -> None:
    house = Narthex(Hello(), config(guest=offer(vet=lambda: Deny(403, "closed"))))
    step = house.chain.steps["vet"][0]
    assert step.call(object()) == Deny(403, "closed")


UNMARKED: list[Any] = [
    lambda self, exchange: None,
    staticmethod(lambda exchange: None),
    classmethod(lambda cls, exchange: None),
]


@pytest.mark.parametrize("method", UNMARKED, ids=["method", "staticmethod", "classmethod"])
def test_a_method_named_like_a_hook_must_be_marked(method: Any) -> None:
    error = refusal(type("Forgot", (Guest,), {"vet": method}))
    assert "'vet' is named like a hook but is not marked" in str(error)
    assert "@hookimpl" in error.hint


@pytest.mark.parametrize("wrap", [staticmethod, classmethod])
def test_static_and_class_methods_may_be_hooks_whichever_decorator_is_above(wrap: Any) -> None:
    def vet(*args: object) -> Deny:
        return Deny(403, "closed")

    above = type("Above", (Guest,), {"vet": hookimpl(wrap(vet))})
    below = type("Below", (Guest,), {"vet": wrap(hookimpl(vet))})
    built = survey(load(config(above=seat(above), below=seat(below))))
    assert [step.instance for step in built.chain.steps["vet"]] == ["above", "below"]


def test_two_instances_of_one_class_live_side_by_side() -> None:
    house = Narthex(Hello(), config(b={"use": "tests.guests:Person"}, a={"use": "tests.guests:Person"}))
    assert [step.instance for step in house.chain.steps["authenticate"]] == ["b", "a"]
    assert len({id(guest.plugin) for guest in house.guests}) == 2


def test_instances_that_are_equal_are_told_apart_or_refused_clearly() -> None:
    @dataclass
    class Same:
        name: ClassVar = "same"
        Settings = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None: ...

    table = seat(Same)
    with pytest.raises(PluginError) as caught:
        survey(load(config(one=table, two=table)))
    assert "plugins one and two are equal" in str(caught.value)
    assert "__eq__" in caught.value.hint
    assert "0x" not in str(caught.value)


def test_the_files_order_is_the_order_within_a_stage() -> None:
    passing = {"use": "tests.guests:PlainGuard"}
    house = Narthex(Hello(), config(c=passing, a=passing, b=passing))
    assert [step.instance for step in house.chain.steps["vet"]] == ["c", "a", "b"]


def test_two_plugins_that_claim_one_path_are_both_named(tmp_path: Path) -> None:
    def routes() -> list[Route]:
        return [Route(path="/page", endpoint=print, access=PUBLIC)]  # type: ignore[arg-type]  # never called

    use = offer(routes=routes)["use"]
    error = file_refusal(tmp_path, f'[plugins.one]\nuse = "{use}"\n\n[plugins.two]\nuse = "{use}"\n')
    assert "plugins one and two both claim the path /_narthex/page" in str(error)
    assert (Path(error.where).name, "narthex.toml:1" in error.hint) == ("narthex.toml:4", True)


def test_a_plugin_that_raises_while_it_is_made_is_named(tmp_path: Path) -> None:
    def __init__(self: object, settings: NoSettings, house: House) -> None:  # noqa: N807
        raise LookupError("no such thing")

    use = seat(type("Broken", (Guest,), {"__init__": __init__}))["use"]
    error = file_refusal(tmp_path, f'\n[plugins.broken]\nuse = "{use}"\n')
    assert Path(error.where).name == "narthex.toml:2"
    assert "plugin broken could not be made: LookupError: no such thing" in str(error)


def test_a_property_that_raises_does_not_leave_as_a_bare_exception() -> None:
    def broken(self: object) -> object:
        raise LookupError("too early")

    built = survey(load(config(guest=seat(type("Lazy", (Guest,), {"later": property(broken)})))))
    assert built.guests[0].hooks == ()


def test_shadow_mode_needs_something_that_refuses() -> None:
    error = refusal(type("Eye", (Guest,), {"observe": hookimpl(lambda self, exchange: None)}), mode="shadow")
    assert "cannot stand in shadow mode" in str(error)
    assert error.hint == "remove `mode`"


def test_shadow_mode_holds_for_the_guards_of_a_plugin_only() -> None:
    table = offer({"mode": "shadow"}, vet=lambda exchange: None, observe=lambda exchange: None)
    built = survey(load(config(guest=table)))
    assert built.chain.steps["vet"][0].shadow
    assert not built.chain.steps["observe"][0].shadow


def test_routes_may_be_none_or_any_iterable() -> None:
    route = Route(path="/page", endpoint=print, access=PUBLIC)  # type: ignore[arg-type]  # never called
    built = survey(load(config(a=offer(routes=lambda: None), b=offer(routes=lambda: iter((route,))))))
    assert [taken.instance for taken in built.chain.routes] == ["b"]


@pytest.mark.parametrize("given", [7, [7], "/page"])
def test_routes_that_are_none_are_refused(given: object) -> None:
    error = refusal(type("Odd", (Guest,), {"routes": hookimpl(lambda self: given)}))
    assert "plugin guest: routes gave" in str(error)


def test_a_boot_hook_that_raises_is_named() -> None:
    def wrap(self: object) -> Inside:
        raise LookupError("nothing to wrap with")

    error = refusal(type("Odd", (Guest,), {"wrap": hookimpl(wrap)}))
    assert "plugin guest: wrap failed: LookupError: nothing to wrap with" in str(error)


def test_wrap_gives_inside_or_outside_and_nothing_else() -> None:
    assert "wrap gave a function" in str(
        refusal(type("Odd", (Guest,), {"wrap": hookimpl(lambda self: lambda app: app)}))
    )


@pytest.mark.parametrize(("wrapper", "words"), [(7, "not callable"), (lambda app: None, "not an ASGI app")])
def test_a_wrapper_that_does_not_wrap_is_named(wrapper: Any, words: str) -> None:
    for kind in (Inside, Outside):
        with pytest.raises(PluginError, match=f"plugin w: its wrapper .*{words}"):
            Narthex(Hello(), config(w=offer(wrap=lambda kind=kind: kind(wrapper))))


def test_two_providers_of_permissions_stop_the_boot() -> None:
    class Provider(Guest):
        def __init__(self, settings: NoSettings, house: House) -> None:
            house.provide(Permissions, self)

    table = seat(Provider)
    with pytest.raises(BootError, match="one, two"):
        survey(load(config(one=table, two=table)))


PROGRAM = """
import sys
from narthex import Narthex
def app(scope, receive, send): ...
house = Narthex(app, sys.argv[1])
print(*sorted(name for name in sys.modules if name.startswith("narthex_")))
print({stage: [step.instance for step in steps] for stage, steps in house.chain.steps.items()})
"""


def test_a_plugin_that_is_off_is_not_imported_and_leaves_the_chain_alone(tmp_path: Path) -> None:
    def boot(text: str) -> list[str]:
        (tmp_path / "narthex.toml").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "narthex.toml"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    on = boot("[plugins.health]\n")
    off = boot("[plugins.health]\n[plugins.logging]\nenabled = false\n")
    assert on == off
    assert "narthex_plugins.health" in on[0]
    assert "logging" not in on[0]
    assert boot("")[0] == ""
