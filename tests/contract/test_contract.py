"""Every installed plugin keeps the contract. A new one is in here as soon as it is an entry point.

Where the table of its example is not enough, `MORE` says what is.
"""

from importlib.metadata import entry_points
from typing import Any, Final

from narthex import Identity
from narthex.testing import contract

MORE: Final[dict[str, dict[str, Any]]] = {
    "access": {
        "identity": Identity(subject="welcome", roles=frozenset({"admin"})),
        "second": {"path": "/second", "explain": "/second/explain", "provide": False},
    },
    "alerts": {"settings": {"evaluate": False}},  # it has nothing to look at when it is alone
    "audit": {"second": {"path": "/second"}},
    "auth": {"second": {"path": "/second", "jwks": "/second/jwks.json", "cookie": "second"}},
    "events": {"second": {"path": "/second"}},
    "guestbook": {"second": {"path": "/second"}},
    "health": {"second": {"live": "/second/healthz", "ready": "/second/readyz"}},
    "revocation": {"second": {"path": "/second/revocations", "sessions": "/second/sessions"}},
    "notifications": {"second": {"path": "/second"}},
    "metrics": {"second": {"path": "/second"}},
    "logging": {
        "settings": {"output": "first.jsonl"},
        "second": {"output": "second.jsonl", "capture": False, "header": "x-second-id"},
    },
}

for _name in sorted(entry_points(group="narthex").names):
    globals()[f"TestContractOf{_name.title().replace('-', '')}"] = contract(_name, **MORE.get(_name, {}))
