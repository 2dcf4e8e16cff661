"""The locator against tomllib: in the generated documents every value is the number of the line it stands on.

So tomllib itself says where each value is, and no second parser is needed to judge the first.
"""

import re
import time
import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from narthex.config.toml_lines import Line, locate

HERE = "\0"
"""Stands for the number of its own line until the document is whole."""

bare = st.text("abcXYZ019_-", min_size=1, max_size=4)
quoted = st.sampled_from(['"a b"', '"x.y"', '"[#="', '"\\u00e9\\""', "'lit # = ]'", '\'"""\'', "\"'''\"", '""'])
keys = st.lists(st.one_of(bare, quoted), min_size=1, max_size=3).map(" . ".join)
gaps = st.sampled_from(["", " ", "\t", "\n", "\n\n", " # ]},=\"'''\n", '# """\n'])
scalars = st.sampled_from(
    [
        HERE,
        f'"{HERE}"',
        f"'{HERE}'",
        f'"{HERE} \\" # ] }} \\\\"',
        f'"""{HERE} \n # no comment " "" \\""" \\\n  [x]\n"""""',
        f"'''{HERE}\n'' # = ' \n a = 1''''",
    ]
)


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(st.tuples(gaps, inner, gaps).map("".join), max_size=4)
    return st.tuples(items, gaps, st.booleans()).map(
        lambda drawn: f"[{','.join(drawn[0])}{',' if drawn[2] and drawn[0] else ''}{drawn[1]}]"
    )


def tables(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(st.tuples(keys, inner), max_size=3)
    return items.map(lambda pairs: "{" + " , ".join(f"{key} = {value}" for key, value in pairs) + " }")


values = st.recursive(scalars, lambda inner: st.one_of(arrays(inner), tables(inner)), max_leaves=6)
assignments = st.tuples(st.sampled_from(["", "  "]), keys, values, st.sampled_from(["", " # x = 1", "\n# [z]\n"])).map(
    lambda drawn: f"{drawn[0]}{drawn[1]} = {drawn[2]}{drawn[3]}\n"
)
headers = keys.map(lambda key: f"[ {key} ] # [y]\nhere_ = {HERE}\n")
array_headers = keys.map(lambda key: f"[[{key}]]\nhere_ = {HERE}\n")
documents = st.lists(st.one_of(assignments, headers, array_headers), max_size=12).map("".join)


def numbered(text: str) -> str:
    lines = [line.replace(HERE, str(number)) for number, line in enumerate(text.split("\n"), start=1)]
    return "\n".join(lines)


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Each path of what tomllib made, with what is there."""
    yield path, value
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in below:
        yield from leaves(item, (*path, step))


def assert_located(text: str) -> int:
    located = locate(text)
    count = 0
    for path, value in leaves(tomllib.loads(text)):
        found = located.find(path)
        assert found is not None, path
        if path and path[-1] == "here_":
            table = located.find(path[:-1])
            assert table is not None
            assert found.number == int(str(value)) == table.number + 1
        elif not isinstance(value, dict | list):
            said = re.match(r"\d+", str(value))
            assert said is not None
            assert found.number == int(said.group()), path
            count += 1
    return count


@settings(max_examples=200, deadline=None)
@given(documents)
@example("a.b.c = 1\n[x]\nhere_ = 3\n")
@example("[x.y]\nhere_ = 2\n[x]\nhere_ = 4\n")
@example(f"[[a]]\nhere_ = {HERE}\n0 = {HERE}\n[a]\nhere_ = {HERE}\n[a.0]\nhere_ = {HERE}\n")
@example("[[a]]\nhere_ = 2\n[a.b]\nhere_ = 4\n[[a]]\nhere_ = 6\n[a.b]\nhere_ = 8\n")
def test_every_value_is_found_on_the_line_that_it_says(document: str) -> None:
    text = numbered(document)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        locate(text)  # must not raise; most documents with a key twice end here
    else:
        assert_located(text)
        assert_located_with_crlf(text)


def assert_located_with_crlf(text: str) -> None:
    crlf = text.replace("\n", "\r\n")
    assert [found.number for found in walk(locate(crlf))] == [found.number for found in walk(locate(text))]


def walk(line: Line) -> Iterator[Line]:
    yield line
    for below in line.below.values():
        yield from walk(below)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*"[]{}=.,#\"'\\\n \tabc1", '"""', "'''", "[[", "]]", "a = 1\n"]), max_size=40))
def test_any_text_at_all_is_survived(pieces: list[str]) -> None:
    text = "".join(pieces)
    located = locate(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert all(located.find(path) for path, _ in leaves(document))


def test_the_generator_makes_valid_documents_with_values() -> None:
    text = numbered(f"a.'b c' = [{HERE}, # x\n [ {HERE}\n], {{ k = {HERE}, \"é\".z = '''{HERE}\n''' }}]\n")
    assert assert_located(text) == 4


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 50_000) + " = 1",
        f"[{'.'.join(['a'] * 50_000)}]",
        "a = " + "[" * 50_000 + "]" * 50_000,
        "a = " + "{b=" * 25_000 + "1" + "}" * 25_000,
        "[[a]]\n" * 25_000,
        "\n" * 100_000 + "a = 1",
        'a = """' + '""\n' * 50_000 + '"""',
        "a = '''" + "''\n" * 50_000,
        "#" * 100_000,
        "a = " + '"' + "\\\\" * 50_000,
    ],
    ids=lambda text: text[:12],
)
def test_time_grows_with_the_length_of_the_file_only(text: str) -> None:
    began = time.process_time()
    locate(text)
    assert time.process_time() - began < 10  # tenths of a second; a quadratic scan takes minutes
