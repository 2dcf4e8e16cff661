"""Tells people and programs what they must know, at the price of a row in the store and an attempt to deliver it.

    await notify("ops", "disk-full", {"host": "db1"})                  durable when it returns
    notify("ops", "disk-full", {"host": "db1"}, connection=connection)  part of the caller's transaction

How its parts fit together:

    app          `notify`, for apps: checked, then given to the desk of an instance that runs
    queue        the rows: adding, claiming by lease, finishing, retrying, cancelling; nothing but SQL
    pacing       how long until the next attempt, how many may go now: arithmetic, no I/O
    courier      claims what is due, has it rendered and sent, writes down what came of it
    templates    sandboxed Jinja2 in bounds of time and size
    channels     webhook, email, apprise, log: one attempt each; `reaching` is where webhooks may connect to
    ruling       which events of the house become notifications
    routes, page, commands    what admins see and do
"""

from narthex_plugins.notifications.app import NotifyError, notify, notify_blocking

__all__ = ["NotifyError", "notify", "notify_blocking"]
