import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex_plugins.auth.strict import DEPTH, decode_base64url, encode_base64url, parse_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.binary())
def test_bytes_come_back_from_their_one_spelling(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data)) == data


@given(st.binary(max_size=12))
def test_what_is_taken_is_the_one_spelling_of_something(text: bytes) -> None:
    try:
        decoded = decode_base64url(text)
    except ValueError:
        return
    assert urlsafe_b64encode(decoded).rstrip(b"=") == text


@given(st.dictionaries(st.text(), JSON), st.booleans())
def test_objects_are_read_as_the_standard_library_reads_them(value: dict[str, object], escape: bool) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=escape).encode("utf-8", "surrogatepass")) == value


@given(st.binary(max_size=40) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_nothing_but_a_value_error_comes_out(data: bytes) -> None:
    try:
        parsed = parse_object(data)
    except ValueError:
        return
    assert parsed == json.loads(data)


def test_depth_is_bounded_where_it_says() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

    assert parse_object(nested(DEPTH))
    for depth in (DEPTH + 1, 900, 5_000, 100_000):
        with pytest.raises(ValueError, match="too deep"):
            parse_object(nested(depth))
    assert parse_object(b'{"a":[' + b",".join([b"[]"] * 500) + b"]}")
