"""A house sends by every channel to real receivers: what arrives, and what is kept of it."""

import logging
import socket
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from narthex.secrets import Secret
from narthex.testing import Client
from narthex_plugins.notifications import NotifyError, notify
from tests.plugins.notifications.receiver import SECRET, Receiver, certificate, closed_port, receiving

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not see TLS from the first byte
QUICK: dict[str, Any] = {"backoff": "10ms", "longest": "20ms", "timeout": "5s", "rest": "50ms", "attempts": 4}
TEMPLATE = {"subject": "{{ host }} is full", "text": "{{ host }} has <{{ free }}>", "html": "<b>{{ free }}</b>"}


class House:
    """A house with the plugin, and its notifications."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def tell(self, channel: str, template: str = "full", **more: Any) -> dict[str, Any]:
        """Have it sent, and wait until it is over."""
        data = more.pop("data", {"host": "db1", "free": "2 GB"})
        return self.over(self.client.run(notify(channel, template, data, **more)))

    def over(self, id_: str, *statuses: str) -> dict[str, Any]:
        """One that is over."""
        for _ in range(3000):
            found = self.client.get(f"/_narthex/notifications/{id_}").json()
            if found["status"] in (statuses or ("sent", "dead", "cancelled")):
                return dict(found)
            self.client.run(_moment())
        raise AssertionError(found)


async def _moment() -> None:
    import asyncio

    await asyncio.sleep(0.02)


Make = Callable[..., House]


@pytest.fixture
def make() -> Iterator[Make]:
    """A house with channels; an admin asks."""
    opened = list[Client]()

    def shut() -> None:
        while opened:
            opened.pop().__exit__(None, None, None)

    def made(**tables: Any) -> House:
        settings = {"poll": "50ms", "templates": {"full": TEMPLATE}, **tables}
        client = Client(config={"narthex": {"store": "memory"}, "plugins": {"who": ADMIN, "notifications": settings}})
        shut()
        opened.append(client.__enter__())
        return House(client)

    yield made
    shut()


ADMIN = {"use": "tests.plugins.notifications.site:Admin"}


def webhook(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"ops": {"url": receiver.url, "secret": Secret(SECRET), "allow": ["127.0.0.0/8"], **QUICK, **more}}


def test_a_webhook_is_signed_and_says_what_happened(make: Make) -> None:
    with receiving() as receiver:
        found = make(webhook=webhook(receiver)).tell("ops")
        ((path, headers, payload),) = receiver.seen
    assert (path, receiver.wrong) == ("/hook", [])
    assert headers["webhook-id"] == found["id"]
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert payload == {"type": "full", "timestamp": found["created"], "data": {"host": "db1", "free": "2 GB"}}
    assert (found["status"], found["data"]) == ("sent", {})
    assert [(one["number"], one["outcome"], one["code"]) for one in found["tries"]] == [(1, "sent", 204)]


def test_a_webhook_that_fails_is_tried_again_with_the_same_id(make: Make) -> None:
    with receiving(answer=lambda number, _: ((500, 0, 204)[min(number, 2)], {})) as receiver:
        found = make(webhook=webhook(receiver)).tell("ops")
        assert {headers["webhook-id"] for _, headers, _ in receiver.seen} == {found["id"]}
    assert [one["outcome"] for one in found["tries"]] == ["failed", "failed", "sent"]
    assert found["tries"][0]["error"] == "it answered 500"
    assert receiver.wrong == []


def test_after_the_last_attempt_it_is_dead_and_an_admin_has_it_tried_again(make: Make) -> None:
    answers = [500] * 4 + [204]
    with receiving(answer=lambda number, _: (answers[min(number, 4)], {})) as receiver:
        house = make(webhook=webhook(receiver))
        found = house.tell("ops")
        assert (found["status"], found["attempts"], found["error"]) == ("dead", 4, "it answered 500")
        assert house.client.post(f"/_narthex/notifications/{found['id']}/retry").status == 200
        assert house.over(found["id"], "sent")["attempts"] == 5


def test_a_receiver_that_is_gone_ends_it_and_one_that_asks_to_wait_is_left_alone(make: Make) -> None:
    with receiving(answer=lambda _, __: (410, {})) as receiver:
        assert make(webhook=webhook(receiver)).tell("ops")["attempts"] == 1
    with receiving(answer=lambda _, __: (503, {"retry-after": "3000"})) as receiver:
        house = make(webhook=webhook(receiver))
        id_ = house.client.run(notify("ops", "full", {"host": "a", "free": "b"}))
        found = house.over(id_, "failed")
        assert found["due"][:13] >= found["created"][:13]
        second = house.client.run(notify("ops", "full", {"host": "a", "free": "b"}))
        house.client.run(_moment())
        assert house.over(second, "queued")["attempts"] == 0  # the channel, not the notification alone


def test_a_private_address_is_refused_also_by_name_and_after_a_redirect(make: Make) -> None:
    with receiving() as receiver:
        for url in (receiver.url, f"http://localhost:{receiver.port}/", f"http://[::ffff:127.0.0.1]:{receiver.port}/"):
            found = make(webhook=webhook(receiver, url=url, allow=[])).tell("ops")
            assert (found["status"], found["attempts"]) == ("dead", 1)
            assert "not public" in found["error"]
        assert receiver.seen == []
    inner = f"http://127.0.0.2:{closed_port()}/"
    with receiving(answer=lambda _, __: (307, {"location": inner})) as receiver:
        found = make(webhook=webhook(receiver, allow=["127.0.0.1/32"], redirects=3)).tell("ops")
        assert "127.0.0.2, which is not public" in found["error"]
        assert found["status"] == "dead"


def test_a_redirect_is_followed_where_the_settings_say_so(make: Make) -> None:
    with receiving() as target:
        leads = {"location": target.url}
        with receiving(answer=lambda _, __: (308, leads)) as receiver:
            assert make(webhook=webhook(receiver)).tell("ops")["status"] == "dead"
            assert make(webhook=webhook(receiver, redirects=1)).tell("ops")["status"] == "sent"
        assert target.wrong == []
        assert target.seen[0][1]["host"] == f"127.0.0.1:{target.port}"


def test_a_name_that_changes_its_address_is_looked_up_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    asked: list[str] = []

    async def rebinding(loop: object, host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.66"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", rebinding)
    with receiving() as receiver:
        url = f"http://rebind.example:{receiver.port}/hook"
        found = make(webhook=webhook(receiver, url=url, allow=["127.0.0.1/32"])).tell("ops")
        assert (found["status"], asked) == ("sent", ["rebind.example"])
        assert receiver.seen[0][1]["host"] == f"rebind.example:{receiver.port}"


def test_tls_is_checked_under_the_name_of_the_url(make: Make, tmp_path: Path) -> None:
    ca, _ = certificate(tmp_path)
    with receiving() as receiver:  # which speaks no TLS
        url = f"https://localhost:{receiver.port}/"
        settings = webhook(receiver, url=url, ca=str(ca), attempts=1, allow=["127.0.0.0/8", "::1/128"])
        assert "Connect" in make(webhook=settings).tell("ops")["error"]


def test_apprise_reaches_a_service(make: Make) -> None:
    with receiving() as receiver:
        urls = [Secret(f"json://127.0.0.1:{receiver.port}/in")]
        found = make(apprise={"chat": {"urls": urls, **QUICK}}).tell("chat")
        assert found["status"] == "sent"
        ((path, _, payload),) = receiver.seen
        assert (path, payload["title"], payload["message"]) == ("/in", "db1 is full", "db1 has <2 GB>")
    urls = [Secret(f"json://127.0.0.1:{closed_port()}/in")]
    assert make(apprise={"chat": {"urls": urls, **QUICK, "attempts": 2}}).tell("chat")["attempts"] == 2


def test_a_line_of_the_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    data = {"host": "db1\r\nforged line", "free": "2 GB"}
    assert make(log={"lines": {}}).tell("lines", data=data)["status"] == "sent"
    assert "notification db1 forged line is full: db1 forged line has <2 GB>" in caplog.messages


class Post:
    """What a mail server does, and what it has taken."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.replies: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802  aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]
    ) -> str:
        reply = self.replies.get(to, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(to)
        return reply

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        return "250 taken"


def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    return AuthResult(success=(given.login, given.password) == (b"shop", b"secret"))


@pytest.fixture(params=["starttls", "tls"])
def mail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Post, dict[str, Any]]]:
    """A mail server that wants TLS and a login, and the channel's settings for it."""
    ca, context = certificate(tmp_path)
    post = Post()
    kind: dict[str, Any] = {"tls_context": context, "require_starttls": True}
    kind = kind if request.param == "starttls" else {"ssl_context": context}
    port = closed_port()
    server = Controller(
        post,
        "localhost",
        port,
        authenticator=login,
        auth_required=True,
        auth_require_tls=request.param == "starttls",
        **kind,
    )
    server.start()
    settings = {"host": "localhost", "port": port, "tls": request.param, "ca": str(ca), "username": "shop", **QUICK}
    settings |= {"password": Secret("secret"), "sender": "Shop <ops@shop.example>", "to": ["a@shop.example"]}
    yield post, settings
    server.stop()


def test_e_mail_goes_over_tls_with_a_login(make: Make, mail: tuple[Post, dict[str, Any]]) -> None:
    post, settings = mail
    house = make(email={"office": settings})
    found = house.tell("office", data={"host": "db1\r\nBcc: evil@x.y", "free": "<2 GB>"})
    assert (found["status"], found["error"]) == ("sent", "")
    import email
    import email.policy

    (envelope,) = post.mails
    assert envelope.rcpt_tos == ["a@shop.example"]
    read = email.message_from_bytes(cast("bytes", envelope.content), policy=email.policy.default)
    assert read["Bcc"] is None
    assert read["Subject"] == "db1 Bcc: evil@x.y is full"
    assert read["Message-ID"] == f"<{found['id']}@shop.example>"
    parts = {cast("Message", part).get_content_type(): part.get_content().strip() for part in read.iter_parts()}
    assert parts["text/html"] == "<b>&lt;2 GB&gt;</b>"
    assert house.tell("office", to=["b@x.y", "c@x.y"])["recipients"] == ["b@x.y", "c@x.y"]
    assert post.mails[-1].rcpt_tos == ["b@x.y", "c@x.y"]
    with pytest.raises(NotifyError):
        house.tell("office", to="b@x.y\r\nBcc: c@d")


def test_addresses_that_were_refused_for_a_while_are_tried_again_alone(
    make: Make, mail: tuple[Post, dict[str, Any]]
) -> None:
    post, settings = mail
    post.replies = {"b@x.y": "451 later"}
    house = make(email={"office": {**settings, "backoff": "300ms", "longest": "300ms", "attempts": 50}})
    id_ = house.client.run(notify("office", "full", {"host": "a", "free": "b"}, to=["a@x.y", "b@x.y"]))
    assert house.over(id_, "failed")["recipients"] == ["b@x.y"]
    post.replies = {}
    house.over(id_, "sent")
    assert [one.rcpt_tos for one in (post.mails[0], post.mails[-1])] == [["a@x.y"], ["b@x.y"]]
    post.replies = {"c@x.y": "550 nobody"}
    assert house.tell("office", to="c@x.y")["attempts"] == 1


def test_a_server_without_tls_gets_no_mail(make: Make) -> None:
    post, port = Post(), closed_port()
    server = Controller(post, "localhost", port)
    server.start()
    try:
        settings = {"host": "localhost", "port": port, "sender": "a@b.c", "to": ["d@e.f"], **QUICK, "attempts": 1}
        assert make(email={"office": settings}).tell("office")["status"] == "dead"
        assert post.mails == []
        assert make(email={"office": {**settings, "tls": "none"}}).tell("office")["status"] == "sent"
    finally:
        server.stop()


def test_a_template_with_a_fault_ends_it_at_once(make: Make) -> None:
    found = make(log={"lines": {}}).tell("lines", data={"host": "db1"})
    assert (found["status"], found["attempts"]) == ("dead", 1)
    assert "'free' is undefined" in found["error"]


def test_what_cannot_be_taken_is_said(make: Make) -> None:
    house = make(log={"lines": {}})
    wrong: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("nothing", "full", {}, {}),
        ("lines", "nothing", {}, {}),
        ("lines", "full", {"x": object()}, {}),
        ("lines", "full", {"x": "a" * 70_000}, {}),
        ("lines", "full", {"x": float("nan")}, {}),
        ("lines", "full", {}, {"dedup_key": "a\nb"}),
        ("lines", "full", {}, {"to": "a@b.c"}),
        ("lines", "full", {}, {"not_before": -1.0}),
    ]
    for channel, template, data, more in wrong:
        with pytest.raises(NotifyError):
            house.client.run(notify(channel, template, data, **more))


def test_without_the_plugin_nothing_is_promised() -> None:
    with pytest.raises(NotifyError, match="does not run"):
        notify("ops", "full", {}).close()
