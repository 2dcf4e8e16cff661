"""The same traffic bare and behind Narthex, and everything that either end sees compared.

A cell is an app on a server. In it run three processes: the app bare, the app in `Narthex(app)` with no plugin, and the
app in Narthex with every observer on. All three get the same bytes at the same time, case by case, and what the
bare one did is the measure. Compared are

- what the client saw: every byte of every reply but the `date` field, so status line, fields in order with repeats and
  spelling, chunk sizes, trailers, informational responses, websocket frames, and whether the connection was kept;
- what the app saw (`vantage.py`, inside): the scope with its types, whether it is the server's own dict, each message,
  what `send` did, the task it runs in, the context variables;
- what the server and a parent app saw (`vantage.py`, outside): each message, the keys that the app has set in the
  scope, the context it leaves behind, the value it returned or the exception that left it;
- what the app noted on its way (background tasks, clean-up), what was logged, and how it all ended after SIGTERM.

The one addition allowed is `x-request-id` where the observers are on. What a server cannot do is found out by running
the case bare: each says what it would show, and where the bare server does not show it, the page has a footnote; it is
compared all the same.

`make test` runs `SAMPLE` of the cells, DIFFERENTIAL=full all of them, and `python -m tests.wire.differential` runs all
and writes docs/reference/compatibility.md.
"""
