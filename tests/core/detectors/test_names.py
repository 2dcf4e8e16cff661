import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex.detectors import Names, Weight
from narthex.detectors.names import weigh

FIELDS = "Authorization Proxy-Authorization Cookie Set-Cookie cookies HTTP_AUTHORIZATION"
PASSWORDS = """password PASSWORD
userPassword user_password password2 passwd passphrase mysql_pwd client_secret clientSecret
AWS_SECRET_ACCESS_KEY secret secrets pin cvv credentials dbCredentials x-amz-credential
password_hash kennwort"""
TOKENS = """token tokens
access_token accessToken X-Auth-Token id_token csrftoken XSRF-TOKEN X-CSRFToken jwt userJWTValue
apikey api_key X-Api-Key apiKey Ocp-Apim-Subscription-Key AccountKey PHPSESSID JSESSIONID sid connect.sid session
session_id ASP.NET_SessionId signature x-amz-signature auth x-auth private_key signing-key sessionid session_key"""
HARMLESS = """author authority authenticated secretary tokenizer token_type tokenType token_id max_token_count
secret_name api_key_header session_timeout cookie_name keyboard monkey key primary_key cachekey id user name path
code state passenger passport pinned spin opinion signal design assigned sidebar side inside password_policy
access_token_expires key_id accessKeyId public_key compass bypass authors"""


@pytest.mark.parametrize(
    ("names", "weight"),
    [(FIELDS, Weight.FIELD), (PASSWORDS, Weight.PASSWORD), (TOKENS, Weight.TOKEN), (HARMLESS, Weight.NONE)],
)
def test_a_name_says_what_its_words_say(names: str, weight: Weight) -> None:
    assert {name: weigh(name).name for name in names.split() if weigh(name) is not weight} == {}


@pytest.mark.parametrize("name", ["code", "key", "state", "ticket", "SAMLResponse"])
def test_some_names_are_secret_in_a_query_only(name: str) -> None:
    assert (Names().weight(name), Names().in_query(name)) == (Weight.NONE, Weight.MAYBE)


def test_more_names_are_patterns() -> None:
    names = Names(more=["x-internal-*", "iban"])
    assert [names.weight(name) for name in ("X-Internal-Id", "IBAN", "ibane")] == [Weight.PASSWORD] * 2 + [Weight.NONE]


def test_names_to_keep_win() -> None:
    names = Names(more=["session_*"], harmless=["session_number", "key"])
    assert names.weight("session_number") is Weight.NONE
    assert names.in_query("key") is Weight.NONE
    assert names.weight("session_name_x") is Weight.PASSWORD


def test_names_of_strangers_do_not_fill_the_memory() -> None:
    names = Names()
    for number in range(10_000):
        names.weight(f"name{number}")
        names.weight("x" * 1_000 + str(number))
    assert len(names._known) <= 4096


@given(st.text())
def test_any_name_has_a_weight(name: str) -> None:
    assert Names().weight(name) in Weight
