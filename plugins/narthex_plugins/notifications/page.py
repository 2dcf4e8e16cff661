"""The page for admins: the queue, one notification with its attempts, and forms to retry, cancel and test.

Made on the server, escaped by Jinja2, and without scripts: its policy lets none run.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.responses import HTMLResponse, Response

from narthex_plugins.notifications.looking import Found

_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;"
    "vertical-align:top}form{display:inline-block;margin:0 1rem 1rem 0}pre{background:#f5f5f5;padding:1rem;"
    "overflow:auto}.dead,.failed,.lost{color:#a40000}.sent{color:#156315}td.error{max-width:28rem;"
    "overflow-wrap:anywhere}button,select,input{font:inherit}"
)
_FRAME: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{% block title %}Notifications{% endblock %}</title><style>{{ style }}</style></head>
<body>{% block body %}{% endblock %}</body></html>
"""
_LIST: Final = """{% extends "frame" %}{% block body %}
<h1>Notifications</h1>
<form method="get" action="{{ path }}">
<label>Status <select name="status"><option value="">any</option>
{% for one in statuses %}<option{% if one == asked.status %} selected{% endif %}>{{ one }}</option>{% endfor %}
</select></label>
<label>Channel <select name="channel"><option value="">any</option>
{% for one in channels %}<option{% if one == asked.channel %} selected{% endif %}>{{ one }}</option>{% endfor %}
</select></label>
<button>Show</button></form>
{% if may_write and channels %}<form method="post" action="{{ path }}/test">
<label>Test <select name="channel">{% for one in channels %}<option>{{ one }}</option>{% endfor %}</select></label>
{% if email %}<label>e-mail to <input name="to" type="email" placeholder="the channel's own"></label>{% endif %}
<button>Send</button></form>{% endif %}
<table><thead><tr><th>Made</th><th>Channel</th><th>Template</th><th>Status</th><th>Attempts</th><th>Next</th><th>Error</th>
</tr></thead><tbody>
{% for one in rows %}<tr><td><a href="{{ path }}/{{ one.id }}">{{ one.created }}</a></td><td>{{ one.channel }}</td>
<td>{{ one.template }}</td><td class="{{ one.status }}">{{ one.status }}</td>
<td>{{ one.attempts }} of {{ one.allowed }}</td>
<td>{{ one.due or "" }}</td><td class="error">{{ one.error }}</td></tr>
{% else %}<tr><td colspan="7">None.</td></tr>{% endfor %}</tbody></table>
{% if following %}<p><a href="{{ path }}?{{ following }}">Older</a></p>{% endif %}
{% endblock %}"""
_ONE: Final = """{% extends "frame" %}{% block title %}Notification {{ one.id }}{% endblock %}{% block body %}
<p><a href="{{ parent }}">All notifications</a></p>
<h1>Notification {{ one.id }}</h1>
<table><tbody>
{% for name in ("status", "channel", "template", "created", "due", "ended", "error", "request_id", "dedup_key") %}
{% if one[name] %}<tr><th>{{ name }}</th><td>{{ one[name] }}</td></tr>{% endif %}{% endfor %}
{% if one.recipients %}<tr><th>recipients</th><td>{{ one.recipients | join(", ") }}</td></tr>{% endif %}
</tbody></table>
{% if may_write %}<p>
{% if one.status in ("failed", "dead", "cancelled") %}
<form method="post" action="{{ path }}/retry"><button>Retry</button></form>{% endif %}
{% if one.status in ("queued", "failed", "dead") %}
<form method="post" action="{{ path }}/cancel"><button>Cancel</button></form>{% endif %}
</p>{% endif %}
<h2>Attempts ({{ one.attempts }} of {{ one.allowed }})</h2>
<table><thead><tr><th>Number</th><th>Began</th><th>Took</th><th>Outcome</th><th>Code</th><th>Answer</th><th>Error</th>
<th>Worker</th></tr></thead><tbody>
{% for try in one.tries %}<tr><td>{{ try.number }}</td><td>{{ try.started }}</td>
<td>{% if try.duration_ms is not none %}{{ try.duration_ms }} ms{% endif %}</td>
<td class="{{ try.outcome or '' }}">{{ try.outcome or "under way" }}</td><td>{{ try.code or "" }}</td>
<td class="error">{{ try.answer }}</td><td class="error">{{ try.error }}</td><td>{{ try.worker }}</td></tr>
{% endfor %}</tbody></table>
<h2>Data</h2><pre>{{ data }}</pre>
{% endblock %}"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "cache-control": "no-store",
    "vary": "accept",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


class Pages:
    """Makes them.

    Args:
        channels: names to choose from.
        statuses: likewise.
        email: names of the channels that take an address.
    """

    def __init__(self, channels: Sequence[str], statuses: Sequence[str], email: Sequence[str]) -> None:
        loader = DictLoader({"frame": _FRAME, "list": _LIST, "one": _ONE})
        self._environment = Environment(autoescape=True, loader=loader, undefined=StrictUndefined)
        self._fixed = {"style": _STYLE, "channels": channels, "statuses": statuses, "email": email}

    def list(self, path: str, found: Found, asked: Mapping[str, str], *, may_write: bool) -> Response:
        """A page of the queue."""
        kept = {name: value for name, value in asked.items() if value and name != "cursor"}
        following = "" if found.following is None else urlencode({**kept, "cursor": found.following})
        values = {"path": path, "rows": found.rows, "asked": asked, "following": following, "may_write": may_write}
        return self._page("list", values)

    def one(self, path: str, one: Mapping[str, Any], *, may_write: bool) -> Response:
        """One notification."""
        data = json.dumps(one["data"], indent=2, ensure_ascii=False)
        parent = path.rpartition("/")[0]
        return self._page("one", {"path": path, "parent": parent, "one": one, "data": data, "may_write": may_write})

    def _page(self, name: str, values: Mapping[str, Any]) -> Response:
        return HTMLResponse(self._environment.get_template(name).render({**self._fixed, **values}), 200, _HEADERS)
