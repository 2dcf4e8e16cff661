"""Prometheus' own readers of the two formats, with types, of which the package has none for one of them."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families as read_plain

read_open = cast("Callable[[str], Iterable[Metric]]", cast("Any", open_parser).text_string_to_metric_families)

__all__ = ["read_open", "read_plain"]
