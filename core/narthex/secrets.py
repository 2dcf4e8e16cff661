"""Values that mask themselves.

A secret never stands in the file: the file says where it is, `{ env = "NAME" }` or `{ file = "path" }`. What
comes of that is a `Secret`, which shows itself only to code that asks by name (`reveal`), and never in a
`repr`, a `str`, a format, JSON or a pickle.
"""

import hmac
import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from narthex.given import Given, GivenText

MASK: Final = "**********"
_LARGEST_FILE: Final = 1024 * 1024
_HINT: Final = 'write { env = "NAME" } or { file = "path" }, and keep the value itself out of the file'
_HINT_IN_CODE: Final = 'write Secret(text) from narthex.secrets, { "env": "NAME" } or { "file": "path" }'


@final
class Secret:
    """A text that must not be seen: a password, a key, a token.

    Equal to another Secret of the same text, compared in constant time; never equal to a str. Immutable.
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", str(text))

    def reveal(self) -> str:
        """The text itself. Keep it in no attribute, log line or message."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: read it again where it is needed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__getstate__()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _schema(literal=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": _references(), "x-narthex-type": "secret"}


class _LiteralAllowed:
    """Marks a Secret that may also be written out, because it seldom holds anything secret."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _schema(literal=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, *_references()], "x-narthex-type": "text or secret"}


Address = Annotated[Secret, _LiteralAllowed()]
"""Where a store or a broker is, such as "sqlite:///narthex.db". With a password in it, it is a secret."""


def _references() -> list[dict[str, Any]]:
    return [
        {
            "type": "object",
            "properties": {key: {"type": "string", "description": meaning}},
            "required": [key],
            "additionalProperties": False,
        }
        for key, meaning in (
            ("env", "Name of the environment variable that holds the secret."),
            (
                "file",
                "File that holds the secret, relative to this one; one newline at its end does not count.",
            ),
        )
    ]


def _schema(*, literal: bool) -> CoreSchema:
    def read(value: object, info: core_schema.ValidationInfo) -> Secret:
        given = info.context if isinstance(info.context, Given) else Given(Path(), os.environ)
        return _read(value, given, literal=literal)

    return core_schema.with_info_plain_validator_function(
        read,
        serialization=core_schema.plain_serializer_function_ser_schema(lambda _: MASK, when_used="json"),
    )


def _read(value: Any, given: Given, *, literal: bool) -> Secret:
    match value:
        case Secret():
            return value
        case {"env": str(name)} if len(value) == 1:
            return Secret(_from_environment(name, given))
        case {"file": str(name)} if len(value) == 1:
            return Secret(_from_file(name, given))
        case GivenText():
            return Secret(_not_empty(value, "the secret"))
        case str() if literal and not (given.written and _holds_password(value)):
            return Secret(_not_empty(value, "the text"))
        case str():
            raise _fault(
                "a password must not stand in the file" if literal else "a secret is not written out here",
                _HINT if given.written else _HINT_IN_CODE,
            )
        case _:
            raise _fault("expected a table that says where the secret is", _HINT)


def _from_environment(name: str, given: Given) -> str:
    text = given.environ.get(name)
    if text is None:
        raise _fault(f"environment variable {name} is not set", "the secret is read from there")
    return _not_empty(text, f"environment variable {name}")


def _from_file(name: str, given: Given) -> str:
    path = given.directory / name
    shown = f"secret file {json.dumps(name, ensure_ascii=False)}"
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        text = data.decode()
    except FileNotFoundError:
        raise _fault(f"{shown} does not exist", "a relative path starts at the directory of this file") from None
    except UnicodeDecodeError:
        raise _fault(f"{shown} is not UTF-8 text", "") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _fault(f"{shown} cannot be read: {reason}", "") from None
    if len(data) > _LARGEST_FILE:
        raise _fault(f"{shown} is larger than 1 MiB", "is it the right file?")
    return _not_empty(text.removesuffix("\n").removesuffix("\r"), shown)


def _not_empty(text: str, what: str) -> str:
    if not text:
        raise _fault(f"{what} is empty", "")
    return str.__str__(text)


def _holds_password(address: str) -> bool:
    """Whether a URL carries `user:password@`."""
    return "@" in address and ":" in address.partition("://")[2].rpartition("@")[0]


def _fault(message: str, hint: str) -> PydanticCustomError:
    """An error that never holds a secret's text. `hint` is shown beside the message."""
    return PydanticCustomError("secret", "{message}", {"message": message, "hint": hint})
