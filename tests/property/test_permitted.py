"""Path parameters in a permission: whatever a caller writes there asks for no other permission than the route meant."""

from hypothesis import example, given
from hypothesis import strategies as st

from narthex import Exchange, Identity, Route, access
from narthex.exchange import Hall
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.routetable import RouteTable
from narthex.services import CorePermissions
from narthex.testing import http_scope


async def _nothing(_: object) -> None: ...


TABLE = RouteTable([("p", "", Route(path="/of/{who}/{n:int}", endpoint=_nothing, access="of:{who}:read"))], prefix="")
HALL = Hall(TrustedProxies(()), CorePermissions)
READER = Identity(subject="a", permissions=frozenset({"of:red:read", "of:*:read", "of:a:b:read", "*"}))


@given(st.text(max_size=12))
@example("*")
@example("a:b")
@example("red\n")
@example("{who}")
@example("{who.__class__}")
def test_a_word_in_the_path_is_compared_as_one_word(who: str) -> None:
    found = TABLE.match("http", f"/of/{who}/7").get("GET")
    if found is None:
        assert not who or "/" in who or "\n" in who
        return
    exchange = Exchange(http_scope("GET", "/"), "http", Plan(), HALL, 0.0)
    exchange.identity = READER
    denied = access.judge(exchange, found, CorePermissions())
    assert (denied is None) is (who == "red")
    assert denied is None or (denied.status, denied.code) == (403, "permission_denied")


@given(st.text(max_size=30) | st.integers(0, 10**30).map(lambda n: f"/of/a/{n}"))
@example("/of/a/" + "7" * 5000)
def test_any_path_matches_or_does_not(path: str) -> None:
    for method, taken in TABLE.match("http", path).items():
        assert method in {"GET", "HEAD"}
        assert set(taken.params) == {"who", "n"}
