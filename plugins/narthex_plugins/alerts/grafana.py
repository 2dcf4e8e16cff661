"""The boards of all plugins as one dashboard of Grafana's: a row for each, three graphs side by side."""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from narthex.alerting import Board, Panel

_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_WIDTH, _HEIGHT, _BESIDE = 8, 8, 3


def dashboard(boards: Iterable[Board]) -> str:
    """JSON for Grafana's import; it asks for the data source and the job."""
    document = {
        "uid": "narthex",
        "title": "Narthex",
        "tags": ["narthex"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), _job()]},
        "panels": list(_panels(boards)),
    }
    return json.dumps(document, indent=1) + "\n"


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}


def _job() -> dict[str, Any]:
    query = "label_values(narthex_build_info, job)"
    return {
        "name": "job",
        "label": "Job",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "job"},
        "definition": query,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }


def _panels(boards: Iterable[Board]) -> Iterator[dict[str, Any]]:
    ids, top = count(1), 0
    for board in boards:
        place = {"x": 0, "y": top, "w": _WIDTH * _BESIDE, "h": 1}
        yield {"id": next(ids), "type": "row", "title": board.title, "collapsed": False, "gridPos": place, "panels": []}
        top += 1
        for number, panel in enumerate(board.panels):
            line, column = divmod(number, _BESIDE)
            place = {"x": column * _WIDTH, "y": top + line * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            yield {"id": next(ids), "gridPos": place, **_graph(panel)}
        top += -(-len(board.panels) // _BESIDE) * _HEIGHT


def _graph(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(65 + number), "datasource": _SOURCE, "expr": query.expression, "legendFormat": query.legend}
            for number, query in enumerate(panel.queries)
        ],
    }
