"""Websockets: a token among the subprotocols, or a cookie with the word of the browser."""

import asyncio
from typing import Any

from narthex.testing import Hello, Reply, drive, websocket_scope
from tests.plugins.auth.site import Site, bearer, site

ORIGIN = ("origin", "https://shop.example")
HOST = ("host", "shop.example")


class Chat:
    """An app that chooses the first subprotocol it is offered."""

    def __init__(self, choose: str | None = None) -> None:
        self.scopes: list[Any] = []
        self._choose = choose

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return await Hello()(scope, receive, send)
        self.scopes.append(scope)
        await receive()
        offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": self._choose or (offered[0] if offered else None)})
        await send({"type": "websocket.close", "code": 1000})
        return None


def open_with(house: Site, *offered: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    fields = [*headers, *([("sec-websocket-protocol", ", ".join(offered))] if offered else [])]
    return house.client.websocket("/chat", (), fields, subprotocols=list(offered))


def test_a_token_beside_the_apps_own_subprotocol_is_taken_and_taken_away() -> None:
    app = Chat()
    with site(app=app) as house:
        subject = house.add()
        token = house.login()["access_token"]
        reply = open_with(house, "chat", f"narthex.bearer.{token}")
        assert reply.messages[0] == {"type": "websocket.accept", "subprotocol": "chat"}
        [seen] = app.scopes
        assert (seen["subprotocols"], seen["headers"]) == (["chat"], [(b"sec-websocket-protocol", b"chat")])
        assert (seen["narthex.identity"].subject, seen["narthex.identity"].via) == (subject, "websocket")
        assert token not in repr(seen)


def test_the_token_is_never_chosen_even_where_the_app_says_so() -> None:
    with site(app=Chat("narthex.bearer.x")) as house:
        house.add()
        reply = open_with(house, f"narthex.bearer.{house.login()['access_token']}")
        assert reply.messages[0] == {"type": "websocket.accept", "subprotocol": None}


def test_a_token_that_is_not_good_is_refused_before_the_socket_opens() -> None:
    app = Chat()
    with site(app=app) as house:
        reply = open_with(house, "chat", "narthex.bearer.a.b.c")
        assert (reply.status, app.scopes) == (401, [])


def test_a_header_does_as_well_and_both_are_refused() -> None:
    with site(app=Chat()) as house:
        house.add()
        token = house.login()["access_token"]
        assert open_with(house, "chat", headers=(bearer(token),)).starts == []
        both = open_with(house, f"narthex.bearer.{token}", headers=(bearer(token),))
        assert (both.status, both.json()["code"]) == (400, "credentials_ambiguous")


def test_a_cookie_opens_a_socket_for_a_page_of_ours_only() -> None:
    app = Chat()
    with site(app=app) as house:
        house.add()
        cookie = ("cookie", house.cookie())
        for others in ((), (("origin", "https://evil.example"),), (("sec-fetch-site", "cross-site"), ORIGIN)):
            assert open_with(house, headers=(cookie, HOST, *others)).status == 403
        assert app.scopes == []
        assert open_with(house, headers=(cookie, HOST, ORIGIN)).starts == []
        assert [name for name, _ in app.scopes[0]["headers"]] == [b"host", b"origin"]


def test_a_socket_is_closed_when_its_session_is_ended() -> None:
    with site() as house:
        subject = house.add()
        fields = [("cookie", house.cookie()), HOST, ORIGIN]

        async def main() -> Reply:
            scope = websocket_scope("/chat", fields)
            socket = asyncio.create_task(drive(house.client.house, scope, [{"type": "websocket.connect"}], 30))
            while not any(one.status == 101 for one in house.plugin._house.live):  # before, it would be refused
                await asyncio.sleep(0.005)
            await house.plugin._sessions.end_all(subject, "test")
            return await socket

        assert house.client.run(main()).messages[-1]["code"] == 4401


def test_the_callers_own_scope_is_left_as_it_was() -> None:
    with site(app=Chat()) as house:
        house.add()
        offered = ["chat", f"narthex.bearer.{house.login()['access_token']}"]
        kept = list(offered)
        house.client.websocket("/chat", (), [("sec-websocket-protocol", ", ".join(offered))], subprotocols=offered)
        assert offered == kept
