"""Templates say what they should, and nothing that goes into one gets out of its bounds."""

import time
from typing import Any

import pytest

from narthex_plugins.notifications.settings import TemplateSettings
from narthex_plugins.notifications.templates import Message, TemplateFault, Templates


def render(text: str, html: str | None = None, body: str | None = None, **data: Any) -> Message:
    made = Templates({"one": TemplateSettings(subject="s", text=text, html=html, body=body)}, lambda _: "")
    return made.render("one", data, {"id": "7", "template": "one"})


def test_values_are_escaped_in_html_and_only_there() -> None:
    said = render("{{ x ~ '<' }}", html="<b>{{ x }}{{ x ~ '<' }}</b>", body='{"x": {{ x | tojson }}}', x='<"&')
    assert said.text == '<"&<'
    assert said.html == "<b>&lt;&#34;&amp;&lt;&#34;&amp;&lt;</b>"
    assert said.body == '{"x": "\\u003c\\"\\u0026"}'


def test_what_was_rendered_is_not_rendered_again() -> None:
    assert render("{{ x }}", x="{{ 7 * 7 }}").text == "{{ 7 * 7 }}"


def test_loops_macros_and_methods_of_plain_values_work() -> None:
    macro = "{% macro m(a) %}[{{ a }}]{% endmacro %}"
    text = "{% for k, v in d.items() %}{{ loop.index }}{{ m(k.upper()) }}{{ v }}{% endfor %}"
    assert render(macro + text, d={"a": 1, "b": 2}).text == "1[A]12[B]2"


def test_the_facts_of_the_notification_cannot_be_overruled() -> None:
    assert render("{{ notification.id }}", notification={"id": "evil"}).text == "7"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}", "{{ x | attr('__class__') }}", "{{ self.__init__ }}", "{{ missing }}",
        "{{ cycler }}", "{{ namespace() }}", "{{ '{:>999999999}'.format(1) }}", "{{ '%0999999999d' % 1 }}",
        "{{ x * 1000000000 }}", "{{ 9 ** 999999999 }}", "{{ x.ljust(1000000000) }}", "{{ x.join('ab') }}",
        "{% for i in range(100000) %}x{% endfor %}", "{% include 'two' %}", "{{ x.encode() }}",
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
        "{% set x = [1] %}" + "{% set x = x + x %}" * 40,
        "{{ 'aaaaaaaaaa' | replace('a', y) | replace('b', y) | replace('b', y) }}",
        "{{ ['', '', ''] | join(y) | length }}" * 9,
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in range(999) %}{{ y }}{% endfor %}",
    ],
)  # fmt: skip
def test_what_reaches_out_or_grows_is_ended(text: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateFault):
        render(text, x="x", y="b" * 200_000)
    assert time.process_time() - began < 20


def test_what_takes_too_long_is_ended() -> None:
    loop = "{% for i in range(1000) %}"
    with pytest.raises(TemplateFault, match="longer than"):
        render(loop * 4 + "{% set z = 1 %}" + "{% endfor %}" * 4)


def test_what_is_no_template_is_told_at_once() -> None:
    with pytest.raises(TemplateFault, match=r"template one\.text"):
        render("{% if %}")
    with pytest.raises(TemplateFault, match="center"):
        render("{{ 'a' | center(9) }}")
