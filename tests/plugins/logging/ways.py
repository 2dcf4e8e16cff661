"""A hundred ways in which a secret gets into a log line, each by its name. Each is given a secret of its own."""

# ruff: noqa: G003, G004, TRY301, TRY400  leaking is what these are for
import base64
import dataclasses
import json
import linecache
import logging
import subprocess
import sys
import traceback
import urllib.parse
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pydantic
import sqlalchemy
from starlette.datastructures import URL, FormData, Headers, MutableHeaders, QueryParams
from starlette.requests import Request

from narthex import log_context
from narthex.testing import http_scope

log = logging.getLogger("shop")
Way = Callable[[str], object]
WAYS: dict[str, Way] = {}


def way(name: str) -> Callable[[Way], Way]:
    def keep(function: Way) -> Way:
        assert name not in WAYS, name
        WAYS[name] = function
        return function

    return keep


def said(name: str, template: str) -> None:
    """A way that is a message: `{s}` stands for the secret."""
    WAYS[name] = lambda secret: log.info(template.replace("{s}", secret))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def jwt(secret: str) -> str:
    """A signed token whose signature is the secret."""
    parts = (b64(json.dumps(part)).rstrip("=") for part in ({"alg": "none"}, {"sub": "alice"}))
    return ".".join((*parts, secret))


# -- messages

for _name, _template in {
    "an f-string with the name before": "got token {s} from the caller",
    "an f-string that says is": "the password is {s}",
    "an f-string with a colon": "password: {s}",
    "an equals sign": "login with password={s} failed",
    "an equals sign with spaces": "password = {s}",
    "an arrow": "secret => {s}",
    "a walrus": "api_key := {s}",
    "in double quotes": 'login with password="{s}"',
    "in single quotes": "login with password='{s}'",
    "in backticks": "token=`{s}`",
    "in quotes with spaces within": 'password="correct horse {s}"',
    "in quotes with a quote within": 'password="he said \\"{s}\\" twice"',
    "in quotes that never end": 'password="{s}',
    "with commas in the value": "password=a,{s}",
    "with semicolons in the value": "password=a;{s}",
    "with quotes in the value": "password=a'{s}",
    "with brackets in the value": "password=a({s})b",
    "upper case": "PASSWORD={s}",
    "camel case": "userPassword={s}",
    "a prefix on the name": "SHOP_DB_PASSWORD={s}",
    "a shell export": "export API_KEY={s}",
    "a name of two words": "API key: {s}",
    "a name of two words without a mark": "access token {s}",
    "an id of a session": "session id {s} not found",
    "an authorization header": "Authorization: Bearer {s}",
    "an authorization header with an odd scheme": "Authorization: Snail {s}",
    "a digest authorization header": 'Authorization: Digest username="alice", realm="x", response="{s}"',
    "a header of AWS": "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature={s}",
    "a scheme without its header": "sent Bearer {s}",
    "a cookie header": "Cookie: theme=dark; sid={s}; lang=en",
    "a set-cookie header": "Set-Cookie: sid={s}; Path=/; HttpOnly",
    "a header of curl's trace": "> X-Api-Key: {s}",
    "a header within a quoted text": "curl -H 'X-Auth-Token: {s}' https://shop.example",
    "headers on lines": "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {s}\r\nAccept: */*",
    "headers on escaped lines": r"GET / HTTP/1.1\r\nAuthorization: Basic {s}\r\nAccept: */*",
    "a query parameter": "GET /reset?token={s}&lang=en",
    "a second query parameter": "GET /reset?lang=en&access_token={s}",
    "a parameter behind a semicolon": "GET /cart;jsessionid={s}?x=1",
    "a fragment": "https://shop.example/cb#access_token={s}&token_type=bearer",
    "an authorization code": "GET /callback?code={s}&state=open",
    "a signed address": "https://x.blob.core.windows.net/a?sv=2022&sig={s}",
    "a password in an address": "postgresql://shop:{s}@db:5432/shop",
    "a password in an address without a user": "redis://:{s}@cache:6379/0",
    "a password with a slash in an address": "amqp://shop:a/{s}@mq/vhost",
    "a connection string": "Server=db;Database=shop;User Id=shop;Password={s};Encrypt=true",
    "a key in a connection string": "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={s}==;EndpointSuffix=y",
    "a connection string of words": "host=db user=shop password={s} dbname=shop",
    "JSON": '{"user": "alice", "password": "{s}"}',
    "JSON without spaces": '{"password":"{s}","user":"alice"}',
    "JSON in JSON": '{"body": "{\\"password\\": \\"{s}\\"}"}',
    "JSON in JSON in JSON": r'{"a": "{\"b\": \"{\\\"token\\\": \\\"{s}\\\"}\"}"}',
    "JSON with a list": '{"tokens": ["a", "{s}"]}',
    "JSON with an object": '{"credentials": {"user": "alice", "value": {"is": "{s}"}}}',
    "JSON with unicode escapes": r"https://x/?a=1\u0026token\u003d{s}",
    "a dict's repr": "{'user': 'alice', 'password': '{s}'}",
    "a dict's repr with bytes": "{b'authorization': b'Bearer {s}'}",
    "ASGI's header list": "[(b'host', b'x'), (b'authorization', b'Bearer {s}'), (b'accept', b'*/*')]",
    "a keyword in a repr": "Credentials(user='alice', password='{s}')",
    "a call": "login('alice', password='{s}')",
    "a command line": "mysqldump --user shop --password {s} shop",
    "a command line with an equals sign": "mysqldump --password={s} shop",
    "a command line as a list": "['mysqldump', '--password', '{s}', 'shop']",
    "curl's user": "curl -u alice:{s} https://shop.example",
    "YAML": "database:\n  user: shop\n  password: {s}\n  port: 5432",
    "an INI file": "[db]\nuser = shop\npassword = {s}\n",
    "XML": "<login><password>{s}</password></login>",
    "XML with a namespace and attributes": '<wsse:Password Type="PasswordText">{s}</wsse:Password>',
    "a multipart form": '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{s}\r\n--b--',
    "a multipart form as bytes": r"""b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{s}\r\n--b--'""",
    "a table": "| user | alice |\n| password | '{s}' |",
    "PostgreSQL's detail": "DETAIL:  Key (token)=({s}) already exists.",
    "a validation error": "1 validation error for Login\npin\n  too short [type=short, input_value='{s}']",
    "a percent sign in the text": "100% sure that token={s}",
    "a tab": "password:\t{s}",
    "no space": "password:{s}",
    "brackets of a name": "user[password]={s}",
    "colours between name and value": "\x1b[36mpassword\x1b[0m=\x1b[35m{s}\x1b[0m",
    "a value on the next line": "{'password':\n     '{s}'}",
    "an input of a form": '<input type="password" name="password" value="{s}">',
    "a cookie as browsers export it": '{"name": "sid", "path": "/", "value": "{s}"}',
    "JSON in HTML": "data-user='{&quot;password&quot;:&quot;{s}&quot;}'",
    "JSON in JavaScript": r"var user = {\x22token\x22:\x22{s}\x22}",
    "whose password": "password for alice: {s}",
    "whose token": "the token of alice is {s}",
    "text around it without a break": "xxtoken={s}xx",
}.items():
    said(_name, _template)


# -- forms


@way("an encoded query in a query")
def _(secret: str) -> None:
    log.info("GET /login?next=" + urllib.parse.quote(f"/cb?access_token={secret}&x=1", safe=""))


@way("a query encoded twice")
def _(secret: str) -> None:
    log.info("next=%s", urllib.parse.quote(urllib.parse.quote(f"/cb?token={secret}", safe=""), safe=""))


@way("a form body")
def _(secret: str) -> None:
    log.info("body %s", urllib.parse.urlencode({"user": "alice", "password": secret}).encode())


@way("JSON encoded into a query")
def _(secret: str) -> None:
    log.info("q=%s", urllib.parse.quote(json.dumps({"password": secret})))


@way("basic credentials")
def _(secret: str) -> None:
    log.info("Basic %s", b64(f"alice:{secret}"))


@way("basic credentials without their scheme")
def _(secret: str) -> None:
    log.info("sent %s", b64(f"alice:{secret}"))


@way("base64 of a labelled secret")
def _(secret: str) -> None:
    log.info("state %s", b64(json.dumps({"token": secret})))


@way("base64 of a secret with an issuer's prefix")
def _(secret: str) -> None:
    log.info("value %s", b64(f"ghp_{secret.replace('-', '')}{'x' * 30}"))


@way("a signed token")
def _(secret: str) -> None:
    log.info("decoding %s", jwt(secret))


@way("a signed token glued to a word")
def _(secret: str) -> None:
    log.info("prefix%s", jwt(secret))


@way("a private key")
def _(secret: str) -> None:
    log.info(f"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n{secret}\n-----END RSA PRIVATE KEY-----")


@way("a private key on one line")
def _(secret: str) -> None:
    log.info(rf"key=-----BEGIN PRIVATE KEY-----\nMIIE\n{secret}\n-----END PRIVATE KEY-----\n")


@way("a private key without an end")
def _(secret: str) -> None:
    log.info("loaded %s", f"-----BEGIN EC PRIVATE KEY-----\nMIIE{secret}")


@way("an opaque token with nothing about it")
def _(secret: str) -> None:
    log.info("got %s", opaque(secret))


@way("an opaque token in a path")
def _(secret: str) -> None:
    log.info("POST /invitations/of/the/shop/in/the/north/accept/%s/now", opaque(secret))


@way("a key with an issuer's prefix")
def _(secret: str) -> None:
    log.info("using sk_live_%s", secret.replace("-", ""))


def opaque(secret: str) -> str:
    return f"{secret.replace('-', '')}Tb8Yc6Nd3Ge5Hf2Ja0Ks1Pu9Qw"


# -- arguments


@way("a %s argument")
def _(secret: str) -> None:
    log.info("password=%s", secret)


@way("a %r argument")
def _(secret: str) -> None:
    log.info("token=%r", secret)


@way("an argument of a dict")
def _(secret: str) -> None:
    log.info("sent %(token)s with token=%(token)s", {"token": f"ghp_{secret.replace('-', '')}{'x' * 30}"})


@way("split over arguments")
def _(secret: str) -> None:
    log.info("%s%s%s", "pass", "word=", secret)


@way("the secret itself split over arguments")
def _(secret: str) -> None:
    log.info("token=%s%s", secret[:6], secret[6:])


@way("a dict as an argument")
def _(secret: str) -> None:
    log.info("headers %s", {"Authorization": f"Bearer {secret}"})


@way("bytes as an argument")
def _(secret: str) -> None:
    log.info("raw %s", f"password={secret}".encode())


@way("too few arguments")
def _(secret: str) -> None:
    log.info("token=%s for %s", secret)  # noqa: PLE1206  the fault is the point


@way("an argument of the wrong type")
def _(secret: str) -> None:
    log.info("pin=%d", secret)


@way("an argument whose repr tells")
def _(secret: str) -> None:
    log.info("using %r", Card("alice", secret))


@dataclasses.dataclass
class Card:
    owner: str
    api_key: str


class Pair(NamedTuple):
    user: str
    password: str


@way("a named tuple")
def _(secret: str) -> None:
    log.info("using %s", Pair("alice", secret))


@way("a message that is a dict")
def _(secret: str) -> None:
    log.info({"event": "login", "password": secret})


@way("a message that is a list")
def _(secret: str) -> None:
    log.info(["--password", secret])


@way("a message that is an exception")
def _(secret: str) -> None:
    log.error(ValueError(f"bad password={secret}"))


# -- fields


@way("an extra field")
def _(secret: str) -> None:
    log.info("login", extra={"password": secret})


@way("an extra field that is a number")
def _(secret: str) -> None:
    log.info("login %s", secret[:0], extra={"pin": int(secret[4:7]) + 123456000, "mark": 1, "n": f"pin={secret}"})


@way("an extra field with a harmless name")
def _(secret: str) -> None:
    log.info("login", extra={"note": f"token={secret}"})


@way("a nested dict")
def _(secret: str) -> None:
    log.info("login", extra={"a": {"b": [{"c": {"clientSecret": secret}}]}})


@way("a dict under a secret name")
def _(secret: str) -> None:
    log.info("login", extra={"cookies": {"theme": secret}})


@way("a key that is bytes")
def _(secret: str) -> None:
    log.info("login", extra={"h": {b"authorization": secret.encode()}})


@way("a list of pairs")
def _(secret: str) -> None:
    log.info("request", extra={"headers": [("accept", "*/*"), ("authorization", secret)]})


@way("a list of pairs of bytes")
def _(secret: str) -> None:
    log.info("request", extra={"headers": [(b"x-api-key", secret.encode())]})


@way("a variable of a container")
def _(secret: str) -> None:
    log.info("start", extra={"env": [{"name": "DB_PASSWORD", "value": secret}]})


@way("a list of arguments")
def _(secret: str) -> None:
    log.info("run", extra={"argv": ["mysqldump", "--password", secret]})


@way("a field that is the secret's key")
def _(secret: str) -> None:
    log.info("seen", extra={"by": {f"token={secret}": 1}})


@way("a set")
def _(secret: str) -> None:
    log.info("seen", extra={"all": {f"Bearer {secret}"}})


@way("an object")
def _(secret: str) -> None:
    log.info("seen", extra={"card": Card("alice", secret)})


@way("an exception as a field")
def _(secret: str) -> None:
    log.info("seen", extra={"cause": KeyError(f"token={secret}")})


@way("log_context")
def _(secret: str) -> None:
    with log_context(access_token=secret):
        log.info("inside")


@way("log_context with a harmless name")
def _(secret: str) -> None:
    with log_context(url=f"https://x/?api_key={secret}"):
        log.info("inside")


@way("a very long message")
def _(secret: str) -> None:
    log.info("x " * 4_090 + f"password={secret}" + " y" * 30_000)


@way("the end of a very long message")
def _(secret: str) -> None:
    log.info("x " * 30_000 + f"password={secret}")


@way("the middle of a cut")
def _(secret: str) -> None:
    log.info("x" * 8_180 + f" password={secret} " + "y" * 50_000)


# -- exceptions


def raised(error: Callable[[], BaseException], message: str = "failed") -> None:
    try:
        raise error()
    except BaseException:
        log.exception(message)


@way("an exception's message")
def _(secret: str) -> None:
    raised(lambda: ValueError(f"cannot log in with password={secret}"))


@way("an exception's cause")
def _(secret: str) -> None:
    try:
        try:
            raise ConnectionError(f"postgresql://shop:{secret}@db/shop is down")
        except ConnectionError as cause:
            raise RuntimeError("no database") from cause
    except RuntimeError:
        log.exception("failed")


@way("an exception's note")
def _(secret: str) -> None:
    error = ValueError("no")
    error.add_note(f"token={secret}")
    raised(lambda: error)


@way("a group of exceptions")
def _(secret: str) -> None:
    raised(lambda: ExceptionGroup("several", [ValueError(f"api_key={secret}")]))


@way("a literal in a line of the traceback")
def _(secret: str) -> None:
    line = f"call(password='{secret}')\n"
    linecache.cache["shop.py"] = (len(line), None, [line], "shop.py")
    try:
        exec(compile(line, "shop.py", "exec"), {})  # noqa: S102
    except NameError:
        log.exception("failed")


@way("a traceback with locals")
def _(secret: str) -> None:
    try:
        token = secret
        raise ValueError("no")
    except ValueError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        log.error("%s", "".join(told.format()))
        del token


@way("a key that is not there")
def _(secret: str) -> None:
    raised(lambda: KeyError(opaque(secret)))


@way("an encoding error")
def _(secret: str) -> None:
    raised(lambda: ValueError(f"invalid literal for int() with base 10: '{opaque(secret)}'"))


@way("a failed command")
def _(secret: str) -> None:
    raised(lambda: subprocess.CalledProcessError(1, ["mysqldump", f"--password={secret}", "shop"]))


@way("a failed command of a real process")
def _(secret: str) -> None:
    try:
        subprocess.run([sys.executable, "-c", "raise SystemExit(1)", "--token", secret], check=True)
    except subprocess.CalledProcessError:
        log.exception("failed")


@way("what pydantic did not accept")
def _(secret: str) -> None:
    class Login(pydantic.BaseModel):
        password: int

    raised(lambda: _error_of(lambda: Login(password=secret)))


@way("what pydantic did not accept, as a list")
def _(secret: str) -> None:
    class Login(pydantic.BaseModel):
        password: int

    error: Any = _error_of(lambda: Login(password=secret))
    log.info("refused %s", error.errors(), extra={"errors": error.errors()})


def _error_of(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError


@way("stack_info")
def _(secret: str) -> None:
    log.info("here", stack_info=True, extra={"token": secret})


# -- other people's lines


@way("a warning")
def _(secret: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"token={secret} is old", DeprecationWarning, stacklevel=1)


@way("uvicorn's access line")
def _(secret: str) -> None:
    _enabled("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "::1", "GET", f"/?token={secret}", "1.1", 200)


@way("hypercorn's access line")
def _(secret: str) -> None:
    atoms = {"h": "::1", "r": f"GET /?api_key={secret} 1.1", "s": "200"}
    _enabled("hypercorn.access").info('%(h)s "%(r)s" %(s)s', atoms)


@way("granian's access line")
def _(secret: str) -> None:
    fields = {"addr": "::1", "method": "GET", "path": f"/reset/{opaque(secret)}", "status": 200}
    _enabled("granian.access").info('%(addr)s - "%(method)s %(path)s" %(status)d', fields)


def _enabled(name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.disabled = False
    return logger


@way("httpx's line of a request")
def _(secret: str) -> None:
    answer = httpx.MockTransport(lambda _: httpx.Response(200))
    with httpx.Client(transport=answer) as client:
        client.get(f"https://api.example/v1?api_key={secret}")


@way("httpx's repr of a request")
def _(secret: str) -> None:
    request = httpx.Request("GET", f"https://x/?token={secret}", headers={"x-api-key": secret})
    log.info("%r %r %s", request, request.headers, dict(request.headers))


@way("hpack's debugging")
def _(secret: str) -> None:
    logging.getLogger("hpack.hpack").debug(
        "Adding %s to the header table", (b"authorization", f"Bearer {secret}".encode())
    )


@way("httpcore's debugging")
def _(secret: str) -> None:
    told = (b"HTTP/1.1", 200, b"OK", [(b"Set-Cookie", f"sid={secret}; Path=/".encode())])
    logging.getLogger("httpcore.http11").debug("receive_response_headers.complete return_value=%r", told)


@way("SQLAlchemy's echo")
def _(secret: str) -> None:
    engine = sqlalchemy.create_engine("sqlite://", echo=True)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("select :a, :b"), {"a": "alice", "b": secret})
    engine.dispose()


@way("SQLAlchemy's echo of rows")
def _(secret: str) -> None:
    engine = sqlalchemy.create_engine("sqlite://", echo="debug")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("select :b as b"), {"b": f"it's {secret}"}).all()
    engine.dispose()


@way("SQLAlchemy's exception")
def _(secret: str) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        raised(
            lambda: _error_of(
                lambda: connection.execute(sqlalchemy.text("select * from nowhere where x = :b"), {"b": secret})
            )
        )
    engine.dispose()


@way("SQLAlchemy's address")
def _(secret: str) -> None:
    url = sqlalchemy.make_url(f"postgresql://shop:{secret}@db/shop")
    log.info("connecting to %s", url.render_as_string(hide_password=False))


@way("Django's database lines")
def _(secret: str) -> None:
    sql = f"INSERT INTO u VALUES ('alice', '{secret}')"  # noqa: S608  as Django has filled it in
    logging.getLogger("django.db.backends").debug(
        "(%.3f) %s; args=%s; alias=%s", 0.1, sql, ("alice", secret), "default",
        extra={"sql": sql, "params": ("alice", secret)},
    )  # fmt: skip


@way("Starlette's objects")
def _(secret: str) -> None:
    headers = Headers({"authorization": f"Bearer {secret}"})
    log.info("%r %r %r", headers, MutableHeaders(headers), QueryParams(f"token={secret}"))
    log.info("%r %r", URL(f"https://alice:{secret}@x/"), FormData([("password", secret)]))


@way("Starlette's request")
def _(secret: str) -> None:
    request = Request(http_scope("GET", f"/?token={secret}", headers=[("cookie", f"sid={secret}")]))
    log.info("%s %s %s %s", request, request.url, request.cookies, dict(request.headers), extra={"c": request.cookies})


@way("the ASGI scope")
def _(secret: str) -> None:
    scope = http_scope("GET", f"/?token={secret}", headers=[("authorization", f"Bearer {secret}")])
    log.info("scope %s", scope, extra={"scope": scope})


@way("the environment")
def _(secret: str) -> None:
    log.info("environment %s", {"PATH": "/bin", "DB_PASSWORD": secret}, extra={"env": {"STRIPE_API_KEY": secret}})


@way("asyncio's repr of a task")
def _(secret: str) -> None:
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: <Task coro=<login(password='%s')>>", secret
    )
