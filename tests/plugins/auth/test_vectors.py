"""The examples of the RFCs, as they are printed there."""

import json
from pathlib import Path
from typing import TypedDict, cast

import pytest

from narthex_plugins.auth.strict import decode_base64url
from narthex_plugins.auth.tokens import KeyCode, KeyRefused, TokenCode, TokenRefused, verify_jws
from tests.plugins.auth.forge import EVERY


class Example(TypedDict):
    source: str
    algorithm: str
    jwk: dict[str, object]
    token: str


EXAMPLES = cast("list[Example]", json.loads(Path(__file__).with_name("rfc_examples.json").read_text("utf-8")))
each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["source"]))


@each
def test_an_example_of_an_rfc_verifies(example: Example) -> None:
    payload = verify_jws(example["token"], example["jwk"], EVERY)
    assert payload == decode_base64url(example["token"].split(".")[1].encode())


@each
def test_an_example_does_not_verify_when_its_algorithm_is_not_permitted(example: Example) -> None:
    with pytest.raises((KeyRefused, TokenRefused)) as refused:
        verify_jws(example["token"], example["jwk"], set(EVERY) - {example["algorithm"]})
    assert cast("KeyRefused", refused.value).code in {KeyCode.ALGORITHM, TokenCode.ALGORITHM}


@each
def test_an_example_does_not_verify_with_a_bit_changed(example: Example) -> None:
    head, payload, signature = example["token"].split(".")
    for changed in (f"{head}.{payload[:-2]}AA.{signature}", f"{head}.{payload}.{signature[:9]}A{signature[10:]}"):
        with pytest.raises(TokenRefused):
            verify_jws(changed, example["jwk"], EVERY)


def test_the_unsecured_example_of_rfc_7515_a5_is_refused() -> None:
    token = f"eyJhbGciOiJub25lIn0.{EXAMPLES[0]['token'].split('.')[1]}."
    for example in EXAMPLES:
        with pytest.raises(TokenRefused):
            verify_jws(token, example["jwk"], [*EVERY, "none"])
