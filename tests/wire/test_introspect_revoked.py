"""What introspection says of a token that the plugin revocation has on its list (RFC 7662 §2.2)."""

from narthex.testing import Client, FixedClock
from tests.plugins.auth.site import KEY, Site, bearer, plugin_of, settings


def test_introspection_calls_no_token_active_that_was_revoked() -> None:
    auth = {"use": "narthex_plugins.auth:Auth", **settings(introspect="role:any")}
    tables = {"auth": auth, "revocation": {"use": "narthex_plugins.revocation:Revocation"}}
    with Client(
        None, {"narthex": {"store": "memory", "secret_key": KEY}, "plugins": tables}, clock=FixedClock()
    ) as client:
        plugin = plugin_of(client.house)
        house = Site(client, plugin, plugin._house.clock, [])
        house.add("alice")
        house.add("ops", "admin")
        token, ops = house.login()["access_token"], house.login("ops")["access_token"]
        before = house.post("introspect", [bearer(ops)], token=token)
        assert before.json()["active"] is True
        assert house.post("revoke", token=token).status == 200
        assert house.me(bearer(token)).status == 401
        assert house.post("introspect", [bearer(ops)], token=token).json() == {"active": False}
