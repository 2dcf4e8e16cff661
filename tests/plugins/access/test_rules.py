"""Which rules hold, against a reference that knows rules as sets of requests, and whatever their order."""

import re
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from narthex import Allow, Deny, Identity
from narthex.paths import Pattern
from narthex_plugins.access.claims import Wanted
from narthex_plugins.access.permissions import RolePermissions
from narthex_plugins.access.policy import Policy, Words
from narthex_plugins.access.roles import Roles
from narthex_plugins.access.rules import Need, Rule, Rulebook

METHODS = ["GET", "HEAD", "POST", "WEBSOCKET"]
PATHS = ["/" + "/".join(path) for length in range(4) for path in product("abz", repeat=length)]
REQUESTS = list(product(METHODS, PATHS))
ROLES = ["user", "engineer", "admin"]
NEEDS = st.one_of(
    st.sampled_from([Need("deny"), Need("authenticated"), Need("allow")]),
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=2).map(lambda roles: Need(roles=tuple(roles))),
)
PATTERNS = st.builds(
    lambda parts, tail: "/" + "/".join([*parts, "**"] if tail else parts),
    st.lists(st.sampled_from(["a", "b", "*"]), max_size=2),
    st.booleans(),
)
GIVEN = st.lists(
    st.tuples(PATTERNS, st.sets(st.sampled_from(["GET", "POST", "WEBSOCKET"]), max_size=2), NEEDS), max_size=5
)
IDENTITIES = st.one_of(
    st.none(),
    st.sets(st.sampled_from(ROLES), max_size=2).map(lambda roles: Identity(subject="s", roles=frozenset(roles))),
)
Row = tuple[str, set[str], Need]


class Sure:
    """All grants are known."""

    doubt = ""
    stale = False


def rules_of(rows: list[Row]) -> list[Rule]:
    return [
        Rule(number, Pattern(path), frozenset(methods | ({"HEAD"} if "GET" in methods else set())), need)
        for number, (path, methods, need) in enumerate(rows)
    ]


def policy(rules: list[Rule]) -> Policy:
    permissions = RolePermissions(Roles([("user", "engineer", "admin")]), {}, ["admin"])
    return Policy(Rulebook(rules), "deny", permissions, Sure(), Words(lambda rule: f"rule {rule}", lambda: "default"))


def requests_of(row: Row) -> set[tuple[str, str]]:
    """Every request that a rule speaks of, by a regular expression."""
    path, methods, _ = row
    text = "".join("(/[^/]+)*" if part == "**" else "/" + part.replace("*", "[^/]+") for part in path.split("/")[1:])
    compiled = re.compile("/" if path == "/" else f"{text}/?")
    bound = set(METHODS) if not methods else methods | ({"HEAD"} if "GET" in methods else set())
    return {(method, one) for method, one in REQUESTS if method in bound and compiled.fullmatch(one)}


def naive(rows: list[Row], request: tuple[str, str], identity: Identity | None) -> bool:
    """Every rule of which no other one speaks of a proper part that has the request in it."""
    sets = [requests_of(row) for row in rows]
    holding = [
        row
        for row, own in zip(rows, sets, strict=True)
        if request in own and not any(request in other and other < own for other in sets)
    ]
    return bool(holding) and all(meets(row[2], identity) for row in holding)


def meets(need: Need, identity: Identity | None) -> bool:
    if need.access != "authenticated":
        return need.access == "allow"
    if identity is None or not need.roles:
        return identity is not None
    return max(map(ROLES.index, identity.roles), default=-1) >= min(map(ROLES.index, need.roles))


@given(GIVEN, st.sampled_from(REQUESTS), IDENTITIES)
@settings(max_examples=400, deadline=None)
def test_the_verdict_is_that_of_the_reference(
    rows: list[Row], request: tuple[str, str], identity: Identity | None
) -> None:
    verdict = policy(rules_of(rows)).decide(*request, identity)
    assert isinstance(verdict, Allow) == naive(rows, request, identity)


@given(GIVEN, st.sampled_from(REQUESTS), IDENTITIES, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_rules_means_nothing(
    rows: list[Row], request: tuple[str, str], identity: Identity | None, random: Random
) -> None:
    rules = rules_of(rows)
    before = Rulebook(rules).ruling(*request)
    verdict = policy(rules).decide(*request, identity)
    random.shuffle(rules)
    after = Rulebook(rules).ruling(*request)
    again = policy(rules).decide(*request, identity)
    assert (set(before.rules), set(before.overruled)) == (set(after.rules), set(after.overruled))
    assert (type(verdict), verdict.reason, verdict.rule) == (type(again), again.reason, again.rule)


def decided(rows: list[Row], method: str, path: str, *roles: str) -> Allow | Deny:
    return policy(rules_of(rows)).decide(method, path, Identity(subject="s", roles=frozenset(roles)))


def test_a_narrower_path_overrules_a_wider_one_and_says_so() -> None:
    rows: list[Row] = [("/admin/**", set(), Need(roles=("admin",))), ("/admin/help", set(), Need())]
    verdict = decided(rows, "GET", "/admin/help", "user")
    assert isinstance(verdict, Allow)
    assert verdict.reason == "any identity may; overrules rule /admin/**"
    assert isinstance(decided(rows, "GET", "/admin/help/x", "user"), Deny)


def test_a_rule_for_some_methods_overrules_the_one_for_all() -> None:
    rows: list[Row] = [("/o/**", set(), Need(roles=("admin",))), ("/o/**", {"GET"}, Need(roles=("user",)))]
    assert isinstance(decided(rows, "GET", "/o/1", "user"), Allow)
    assert isinstance(decided(rows, "HEAD", "/o/1", "user"), Allow)
    assert isinstance(decided(rows, "POST", "/o/1", "user"), Deny)
    assert isinstance(decided(rows, "WEBSOCKET", "/o/1", "user"), Deny)


def test_where_neither_rule_is_the_narrower_one_both_hold() -> None:
    rows: list[Row] = [("/*/edit", set(), Need(roles=("engineer",))), ("/admin/*", set(), Need(roles=("admin",)))]
    assert isinstance(decided(rows, "GET", "/admin/edit", "engineer"), Deny)
    verdict = decided(rows, "GET", "/admin/edit", "admin")
    assert isinstance(verdict, Allow)
    assert verdict.rule == "rule /*/edit, rule /admin/*"


def test_a_method_in_lower_case_is_the_same_method() -> None:
    rows: list[Row] = [("/o", {"POST"}, Need(roles=("admin",))), ("/o", set(), Need())]
    assert isinstance(decided(rows, "post", "/o", "user"), Deny)


def test_a_claim_has_to_have_a_value_that_is_wanted() -> None:
    wanted: dict[str, Wanted] = {"department": ("sales", "support"), "address": {"country": "DE"}}
    rows: list[Row] = [("/x", set(), Need(claims=wanted))]

    def ask(**claims: object) -> Allow | Deny:
        return policy(rules_of(rows)).decide("GET", "/x", Identity(subject="s", claims=claims))

    assert isinstance(ask(department="sales", address={"country": "DE"}), Allow)
    assert isinstance(ask(department=["hr", "support"], address={"country": ["AT", "DE"]}), Allow)
    assert isinstance(ask(department="sales"), Deny)
    assert isinstance(ask(department="Sales", address={"country": "DE"}), Deny)
    assert isinstance(ask(department=["hr"], address="DE"), Deny)


def test_true_is_not_one_and_amr_is_what_the_identity_says() -> None:
    rows: list[Row] = [("/x", set(), Need(claims={"staff": True})), ("/y", set(), Need(claims={"amr": "otp"}))]
    made = policy(rules_of(rows))
    assert isinstance(made.decide("GET", "/x", Identity(subject="s", claims={"staff": 1})), Deny)
    assert isinstance(made.decide("GET", "/x", Identity(subject="s", claims={"staff": True})), Allow)
    assert isinstance(made.decide("GET", "/y", Identity(subject="s", methods=("pwd", "otp"))), Allow)


def test_what_strangers_ask_for_is_kept_within_bounds() -> None:
    book = Rulebook(rules_of([("/**", set(), Need())]))
    for number in range(5000):
        book.ruling("GET", f"/{number}")
    book.ruling("GET", "/" + "x" * 1000)
    assert len(book._kept) <= 4096
    assert max(len(path) for _, path in book._kept) < 300
