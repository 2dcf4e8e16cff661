import re
import secrets
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex.detectors import DETECTORS, Detector, Finder, Redactor
from narthex.detectors.looks import decoded, is_random

SAMPLES = {
    "aws-access-key-id": "AKIAIOSFODNN7EXAMPLE",
    "github-token": "ghp_" + "a1B2" * 9,
    "github-fine-grained-token": "github_pat_" + "a1B2_" * 14,
    "gitlab-token": "glpat-" + "a1B2-" * 4,
    "slack-token": "xoxb-1234567890-abcdefghij",
    "slack-webhook": "https://hooks.slack.com/services/T0000/B0000/abcdefghijklmnop",
    "stripe-key": "sk_live_" + "a1B2" * 6,
    "webhook-secret": "whsec_" + "a1B2" * 8,
    "google-api-key": "AIza" + "a1B2-" * 7,
    "google-oauth-token": "ya29." + "a1B2-" * 9,
    "google-oauth-secret": "GOCSPX-" + "a1B2" * 7,
    "ai-api-key": "sk-proj-" + "a1B2" * 9,
    "npm-token": "npm_" + "a1B2" * 9,
    "pypi-token": "pypi-AgEIcHlwaS5vcmc" + "a1B2" * 9,
    "huggingface-token": "hf_" + "a1B2" * 9,
    "docker-token": "dckr_pat_" + "a1B2-" * 6,
    "digitalocean-token": "dop_v1_" + "a1b2" * 16,
    "sendgrid-key": "SG." + "a1B2-" * 4 + "." + "a1B2_" * 8,
    "twilio-key": "SK" + "a1b2" * 8,
    "mailgun-key": "key-" + "a1b2" * 8,
    "shopify-token": "shpat_" + "a1B2" * 8,
    "square-token": "sq0atp-" + "a1B2-" * 5,
    "telegram-token": "123456789:AA" + "a1B2-" * 6 + "abc",
    "vault-token": "hvs." + "a1B2-" * 6,
    "databricks-token": "dapi" + "a1b2" * 8,
    "doppler-token": "dp.st." + "a1B2" * 11,
    "linear-key": "lin_api_" + "a1B2" * 10,
    "grafana-token": "glsa_" + "a1B2" * 8,
    "age-key": "AGE-SECRET-KEY-1" + "A1B2" * 14 + "AB",
    "private-key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    "url-password": "postgresql://shop:hunter2@db/shop",
    "url-token": "https://a1B2c3D4e5F6g7H8i9@git.example/x",
    "authentication-scheme": "Bearer a1B2c3D4",
    "aws-signature": "Signature=" + "a1b2" * 16,
    "spoken": "the password is hunter2horse",
    "one-time-code": "your login code is 123456",
    "xml-element": "<password>hunter</password>",
    "curl-user": "curl -u alice:hunter2 https://x",
    "random": secrets.token_urlsafe(48),
}
PROSE = """
GET /orders/7 200
Application startup complete.
charged order 17 for alice in 3.4 ms
4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7
550e8400-e29b-41d4-a716-446655440000
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
File "/usr/lib/python3.11/site-packages/starlette/_exception_handler.py", line 42, in wrapped_app
/Users/Alice/Projects/ShopInTheNorth/static/js/ApplicationController.js
select id, name from users where id = 7 order by name limit 10
token = request.headers["x-api-key"]
def login(user: str, password: str, token: str | None = None) -> None:
the token has expired; the session is gone; the secret ingredient; a password is required
token: expired
session 7 of user alice ended after 30 s
max_tokens=100 prompt_tokens=20 token_type=bearer
Basic understanding of bearer tokens and token rotation
GET /search?key=name&state=open&code=404
Tokenizer loaded, author=alice, authority=example.com
http://127.0.0.1:8000/users/@me?x=1 ftp://git@github.com/x
getHTTPResponseCodeFromTheServerInTheNorth
01ARZ3NDEKTSV4RRFFQ69G5FAV
task-scheduler-with-a-long-name-and-no-digits
[2026-11-22 08:14:04,510] INFO worker: started (pid=17)
""".strip().splitlines()


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_each_kind_is_found_within_other_text(detector: Detector) -> None:
    sample = SAMPLES[detector.id]
    found = Finder([detector]).find(f"see {sample} there")
    assert [finding.id for finding in found] == [detector.id]
    assert sample not in Redactor().text(f"see {sample} there")


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_a_keyword_is_in_each_sample_and_its_run_is_long_enough(detector: Detector) -> None:
    lowered = SAMPLES[detector.id].lower()
    assert not detector.keywords or any(keyword in lowered for keyword in detector.keywords)
    assert all(keyword == keyword.lower() for keyword in detector.keywords)
    assert max(map(len, re.findall(r"[\w+-]+", SAMPLES[detector.id]))) >= detector.run


def test_ids_are_unique_and_plain() -> None:
    ids = [detector.id for detector in DETECTORS]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one)] == []


@pytest.mark.parametrize("line", PROSE)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert Redactor().text(line) == line


def test_chance_is_told_from_words() -> None:
    missed = sum(not is_random(secrets.token_urlsafe(32)) for _ in range(2_000))
    assert missed < 10
    assert not any(is_random(str(uuid.uuid4())) or is_random(secrets.token_hex(32)) for _ in range(200))
    assert is_random("/a/long/path/of/words/that/goes/on/and/on/and/on/" + "aB3" * 4 + secrets.token_urlsafe(43))


@given(st.binary(min_size=12))
def test_base64_of_what_is_no_text_is_no_text(data: bytes) -> None:
    text = decoded(data.hex())
    assert text == "" or text.isprintable()


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())), st.sampled_from(sorted(SAMPLES.values())))
def test_any_text_can_be_gone_through(text: str, sample: str) -> None:
    assert isinstance(Redactor().text(f"{text}{sample}{text}"), str)


@settings(deadline=None)
@given(st.text("ab=:'\"\\%25 -,[({<", max_size=20))
def test_what_follows_a_label_in_white_space_is_hidden_whatever_comes_before(before: str) -> None:
    told = Redactor().text(f"{before} password=q7Rk-vZx91LmWp4 ")
    assert "vZx91LmWp4" not in told


def test_hiding_twice_hides_no_more() -> None:
    redactor = Redactor()
    for sample in SAMPLES.values():
        once = redactor.text(f"see token={sample} or {sample}")
        assert sample not in redactor.text(once)


# A text of these repeated is the worst that a pattern can be given: every place looks like a beginning.
_TRAPS = [
    *("a", "A1", "aA0_", "=", "a=", "a:", "'", '"', "\\", '\\"', "{", "[(", "-", "--a ", "a-", "-a", "a.", "a.b("),
    *("://", "://a:", "://a:a", "eyJ", "eyJa.", "%20eyJ", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "bearer "),
    *("%25", "%3D", "\\u00", "\\x3d", "<a", "<password", "<password>", "<a:", "curl -u ", 'name="a"\r\n', "cookie: '"),
    *("password='", 'password="\\', "password: [", "password={{", "token ", "token  ", "token=(", "api key ", "pin "),
    *("[parameters: ", "'a', '", "password=,x", "password=;a", "'token', '", "input 'loc' ", "\n", " ", "ä"),
    *("name=", 'name="', "name='name=\\\"", "value=", "password for ", "token of a", "&quot;", "\x1b[", "\x1b[1m"),
]
_LENGTH = 100_000


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_no_text_takes_a_detector_more_than_its_length(detector: Detector) -> None:
    """With anything quadratic in it, one of these texts takes minutes, and the time limit of tests ends it."""
    for trap in (*_TRAPS, *detector.keywords, *map(str.upper, detector.keywords), f"{SAMPLES[detector.id]} "):
        text = trap * (_LENGTH // len(trap))
        assert all(0 <= start < end <= len(text) for start, end in detector.spans(text))


@pytest.mark.parametrize("before", ["", "password=", "Authorization: ", "('token', '"])
def test_no_text_takes_the_labels_more_than_its_length(before: str) -> None:
    redactor = Redactor(detectors=())
    for trap in _TRAPS:
        text = before + trap * (_LENGTH // len(trap))
        assert isinstance(redactor.text(text), str)


def test_a_text_without_secrets_is_the_same_object() -> None:
    text = "charged order 17 for alice"
    assert Redactor().text(text) is text


@pytest.mark.parametrize("text", ["a=b", "the value abcdefgh stands here", "%61bcdefgh"])
def test_known_values_are_hidden_wherever_they_stand(text: str) -> None:
    assert Redactor().text(text, ("abcdefgh", "b")) == text.replace("abcdefgh", "[redacted]").replace("b", "[redacted]")
