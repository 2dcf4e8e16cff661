"""The whole of `[plugins.access]`, from settings to verdicts, against a reference that reads the documentation naively.

The reference knows a rule as the set of requests that it speaks of, roles by walking up step by step, permissions by
regular expressions, claims by comparing values. It has no cache, no index and no order.
"""

import re
from collections.abc import Mapping
from itertools import pairwise, product
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from narthex import Allow, Deny, Identity
from narthex_plugins.access.compiling import names_of, roles_of, rules_of
from narthex_plugins.access.permissions import RolePermissions
from narthex_plugins.access.policy import Policy, Words
from narthex_plugins.access.rules import Rulebook
from narthex_plugins.access.settings import AccessSettings

METHODS = ["GET", "HEAD", "POST", "WEBSOCKET"]
SEGMENTS = ["a", "b", "xyz"]
PATHS = ["/" + "/".join(path) for length in range(4) for path in product(SEGMENTS, repeat=length)]
REQUESTS = list(product(METHODS, [*PATHS, "/a/", "/a/b/"]))
ASKED = [(method, path) for method, path in REQUESTS if path.count("/") < 3 or path.endswith("/")]
"""Which of them are asked for: the short ones, that rules more often speak of."""
ROLES = ["low", "mid", "top", "side", "alone"]
CHAINS = st.lists(
    st.sampled_from(["low < mid", "mid < top", "low < side", "side < top", "low < mid < top"]), max_size=3
)
WORDS = st.sampled_from(["orders", "read", "write"])
PERMISSION = st.lists(WORDS, min_size=2, max_size=3).map(":".join)
GRANT = st.lists(st.one_of(WORDS, st.just("*")), min_size=2, max_size=3).map(":".join)
VALUE = st.sampled_from(["x", "y", 1, True])
PATTERN = st.builds(
    lambda parts, tail: "/" + "/".join([*parts, "**"] if tail else parts),
    st.lists(st.sampled_from(["a", "b", "*"]), max_size=2),
    st.booleans(),
)
NEED = st.one_of(
    st.sampled_from(["deny", "authenticated", "allow"]).map(lambda access: {"access": access}),
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=2).map(lambda roles: {"roles": roles}),
    st.lists(PERMISSION, min_size=1, max_size=2).map(lambda permissions: {"permissions": permissions}),
    st.lists(VALUE, min_size=1, max_size=2).map(lambda values: {"claims": {"c": values}}),
    st.tuples(st.sampled_from(ROLES), PERMISSION).map(lambda two: {"roles": [two[0]], "permissions": [two[1]]}),
)
RULE = st.builds(
    lambda path, methods, need: {"path": path, **({"methods": sorted(methods)} if methods else {}), **need},
    PATTERN,
    st.sets(st.sampled_from(["GET", "POST", "WEBSOCKET"]), max_size=2),
    NEED,
)
FILE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "default": st.sampled_from(["deny", "authenticated", "allow"]),
        "hierarchy": CHAINS,
        "unlimited": st.lists(st.sampled_from(ROLES), max_size=1),
        "grants": st.dictionaries(st.sampled_from(ROLES), st.lists(GRANT, max_size=2), max_size=3),
        "rules": st.lists(RULE, max_size=5),
    }
)
CALLER = st.one_of(
    st.none(),
    st.builds(
        lambda roles, own, claim: Identity(subject="s", roles=roles, permissions=own, claims=claim),
        st.frozensets(st.sampled_from(ROLES), max_size=2),
        st.frozensets(GRANT, max_size=2),
        st.dictionaries(st.just("c"), st.one_of(VALUE, st.lists(VALUE, max_size=2)), max_size=1),
    ),
)


class Sure:
    """All grants are known."""

    doubt = ""
    stale = False


def policy(file: Mapping[str, Any]) -> Policy:
    given = AccessSettings.model_validate(file)
    roles = roles_of(given, lambda *_: "")
    names_of(given, roles, lambda *_: "")
    permissions = RolePermissions(roles, given.grants, given.unlimited)
    words = Words(lambda rule: f"<{rule}>", lambda: "<default>")
    return Policy(Rulebook(rules_of(given)), given.default, permissions, Sure(), words)


def spoken_of(rule: Mapping[str, Any]) -> set[tuple[str, str]]:
    parts = rule["path"].split("/")[1:]
    text = "".join("(/[^/]+)*" if part == "**" else "/" + part.replace("*", "[^/]+") for part in parts)
    path = re.compile("/" if rule["path"] == "/" else f"{text}/?")
    methods = {*rule.get("methods", METHODS), *(["HEAD"] if "GET" in rule.get("methods", ()) else [])}
    return {(method, one) for method, one in REQUESTS if method in methods and path.fullmatch(one)}


def holding(
    sets: list[tuple[dict[str, Any], set[tuple[str, str]]]], request: tuple[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rules that have to be met, and those that they overrule."""
    matching = [(rule, own) for rule, own in sets if request in own]
    over = [rule for rule, own in matching if any(other < own for _, other in matching)]
    return [rule for rule, _ in matching if not any(rule is one for one in over)], over


def above(file: Mapping[str, Any], role: str) -> set[str]:
    """The role and all above it, one step at a time."""
    steps = {(low.strip(), high.strip()) for chain in file["hierarchy"] for low, high in _pairs(chain)}
    found = {role}
    while more := {high for low, high in steps if low in found} - found:
        found |= more
    return found


def _pairs(chain: str) -> list[tuple[str, str]]:
    return list(pairwise(chain.split("<")))


def may(file: Mapping[str, Any], caller: Identity, permission: str) -> bool:
    if any(role in above(file, one) for one in file["unlimited"] for role in caller.roles):
        return True
    granted = [one for role, all_ in file["grants"].items() if above(file, role) & caller.roles for one in all_]
    patterns = [*caller.permissions, *granted]
    return any(re.fullmatch(re.escape(one).replace(r"\*", "[^:]+"), permission) for one in patterns)


def meets(file: Mapping[str, Any], need: Mapping[str, Any], caller: Identity | None) -> bool:
    if need.get("access") in ("deny", "allow"):
        return bool(need["access"] == "allow")
    if caller is None:
        return False
    roles = need.get("roles")
    if roles and not any(above(file, role) & caller.roles for role in roles):
        return False
    if not all(may(file, caller, one) for one in need.get("permissions", ())):
        return False
    return all(_claims(caller.claims.get(name), wanted) for name, wanted in need.get("claims", {}).items())


def _claims(value: object, wanted: list[object]) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(type(one) is type(other) and one == other for one in values for other in wanted)


def shown(rule: Mapping[str, Any]) -> str:
    return f"<{','.join(rule.get('methods', ()))} {rule['path']}>".replace("< ", "<")


@given(
    FILE,
    st.lists(st.sampled_from(ASKED), min_size=8, max_size=8, unique=True),
    st.lists(CALLER, min_size=4, max_size=4),
)
@settings(max_examples=250, deadline=None)
def test_the_verdict_is_that_of_the_reference_and_names_the_rules_behind_it(
    file: dict[str, Any], requests: list[tuple[str, str]], callers: list[Identity | None]
) -> None:
    made, sets = policy(file), [(rule, spoken_of(rule)) for rule in file["rules"]]
    for request, caller in product(requests, callers):
        rules, over = holding(sets, request)
        judge(file, made.decide(*request, caller), rules, over, caller)


def judge(
    file: dict[str, Any],
    verdict: Allow | Deny,
    rules: list[dict[str, Any]],
    over: list[dict[str, Any]],
    caller: Identity | None,
) -> None:
    """Compare a verdict with the rules that have to be met, by the reference."""
    needs: list[Mapping[str, Any]] = list(rules) or [{"access": file["default"]}]
    lacking = [need for need in needs if not meets(file, need, caller)]
    assert isinstance(verdict, Deny) == bool(lacking)
    named = [shown(rule) for rule in rules] or ["<default>"]
    if isinstance(verdict, Allow):
        assert sorted(verdict.rule.split(", ")) == sorted(named)
    else:
        assert verdict.rule in ([shown(rule) for rule in lacking] if rules else named)
        assert (verdict.status == 401) == (caller is None and not any(one.get("access") == "deny" for one in lacking))
    assert sorted(re.findall("<[^>]*>", verdict.reason)) == sorted(shown(rule) for rule in over)


@given(FILE, st.sampled_from(ASKED), CALLER, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_a_file_whose_rules_are_shuffled_means_the_same(
    file: dict[str, Any], request: tuple[str, str], caller: Identity | None, random: Random
) -> None:
    before = policy(file).decide(*request, caller)
    other = {**file, "rules": random.sample(file["rules"], len(file["rules"]))}
    after = policy(other).decide(*request, caller)
    assert told(before) == told(after)


def told(verdict: Allow | Deny) -> tuple[object, ...]:
    """What a verdict says, whatever the order in which it names rules."""
    if isinstance(verdict, Deny):
        return verdict.status, verdict.code, verdict.rule, sorted(re.split("; overrules |, ", verdict.reason))
    return "allow", sorted(verdict.rule.split(", ")), sorted(re.split(" and |, |; overrules ", verdict.reason))


@given(FILE, st.lists(st.tuples(st.sampled_from(ASKED), CALLER), min_size=2, max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_was_asked_before_changes_nothing(
    file: dict[str, Any], asked: list[tuple[tuple[str, str], Identity | None]]
) -> None:
    kept = policy(file)
    for request, caller in asked * 2:
        assert told(kept.decide(*request, caller)) == told(policy(file).decide(*request, caller))
