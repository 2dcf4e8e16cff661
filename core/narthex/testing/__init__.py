"""What tests of a plugin, or of an app behind Narthex, are made of. No server, no port, no network.

    from narthex.testing import ASKING, Client, as_identity, config, contract

    def test_an_admin_comes_in_at_night():
        with Client(config=config(who=ASKING, curfew={})) as client, as_identity("alice", roles=["admin"]):
            assert client.get("/orders").status == 200

    TestContract = contract("curfew")  # everything that every plugin has to keep to

`driving` sends one exchange, `client` keeps a house running over several; `identity` says who asks; `fakes` are what a
unit test of a hook needs; `suite` is the contract suite.
"""

from narthex.testing.client import Client
from narthex.testing.driving import (
    HeaderPairs,
    Reply,
    drive,
    http_scope,
    request,
    websocket,
    websocket_scope,
)
from narthex.testing.fakes import Counted, FixedClock, Hello, a_plugin, an_exchange, config, memory_store
from narthex.testing.identity import ASKING, as_identity
from narthex.testing.suite import contract

__all__ = [
    "ASKING",
    "Client",
    "Counted",
    "FixedClock",
    "HeaderPairs",
    "Hello",
    "Reply",
    "a_plugin",
    "an_exchange",
    "as_identity",
    "config",
    "contract",
    "drive",
    "http_scope",
    "memory_store",
    "request",
    "websocket",
    "websocket_scope",
]
