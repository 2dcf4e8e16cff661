"""The functions that guards wrapped, and whether something an app serves comes down to one of them unguarded.

Everything is known by identity and held weakly: an entry lives as long as its function, and an id is never mistaken
for that of a dead object.
"""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Final

_DEPTH: Final = 32  # decorators on one function; only a loop has more


class _Known:
    """A set of callables by identity. A bound method, made anew at each access, is its function and its object."""

    def __init__(self) -> None:
        self._references: dict[tuple[int, int], Callable[[], object]] = {}

    def add(self, one: object) -> None:
        key = _key(one)

        def forget(_: object) -> None:
            self._references.pop(key, None)

        try:
            reference: Callable[[], object] = (
                weakref.WeakMethod(one, forget) if isinstance(one, MethodType) else weakref.ref(one, forget)
            )
        except TypeError:  # slots without __weakref__
            reference = functools.partial(_same, one)
        self._references[key] = reference

    def __bool__(self) -> bool:
        return bool(self._references)

    def __contains__(self, one: object) -> bool:
        reference = self._references.get(_key(one))
        return reference is not None and reference() is not None  # of two that live, each has an id of its own


_originals: Final = _Known()
_guards: Final = _Known()


def record(original: object, guard: object) -> None:
    """Remember that `guard` stands in front of `original`, and in front of what `original` itself wraps."""
    _guards.add(guard)
    for one in _layers(original, ("fn", "__wrapped__")):  # fn: Litestar's handlers, which it copies
        _originals.add(one)


def recorded() -> bool:
    """Whether any guarded function lives in this process."""
    return bool(_originals)


def bare(endpoint: object) -> object | None:
    """The original that a call of `endpoint` reaches without passing a guard, or None.

    Partials, bound methods and decorators that say what they wrap are seen through, down to the first guard.
    """
    for one in _layers(endpoint, ("__func__", "func", "__wrapped__")):
        if one in _originals:
            return one
        if one in _guards:
            return None
    return None


def describe(original: object) -> str:
    """Name and place: "shop.api.admin (api.py:12)", as far as the object knows them."""
    innermost = list(_layers(original, ("__func__", "func", "fn", "__wrapped__")))[-1]
    named = innermost if hasattr(innermost, "__qualname__") else type(innermost)
    name = f"{named.__module__}.{getattr(named, '__qualname__', '?')}"
    code = getattr(named, "__code__", None)
    if code is not None:
        return f"{name} ({code.co_filename}:{code.co_firstlineno})"
    try:
        # typed for what inspect knows; it raises TypeError for the rest
        file, line = inspect.getsourcefile(named), inspect.getsourcelines(named)[1]  # type: ignore[arg-type]
    except (OSError, TypeError):
        return name
    return f"{name} ({file}:{line})"


def _layers(one: object, attributes: tuple[str, ...]) -> Iterator[object]:
    """The callable and what it wraps, from the outside in."""
    for _ in range(_DEPTH):
        yield one
        try:
            inner = next((found for name in attributes if callable(found := getattr(one, name, None))), None)
        except Exception:  # noqa: BLE001  a proxy that is bound to nothing now may raise anything
            return
        if inner is None:
            return
        one = inner


def _key(one: object) -> tuple[int, int]:
    return (id(one.__func__), id(one.__self__)) if isinstance(one, MethodType) else (id(one), 0)


def _same(one: object) -> object:
    return one
