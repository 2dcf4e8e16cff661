"""What `make test` leaves out, since it shows little that a sample does not: `make slow` runs it."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from _pytest.mark.structures import ParameterSet

SLOW: Final = frozenset(
    (
        "core/store/test_switching.py",
        "docs/test_tutorial.py",
        "plugins/alerts/test_dashboards.py",
        "plugins/auth/test_gunicorn.py",
        "plugins/metrics/test_prometheus.py",
        "plugins/notifications/test_workers.py",
        "plugins/revocation/test_clocks.py",
        "plugins/revocation/test_store_away.py",
        "plugins/tracing/test_over_the_wire.py",
        "test_benchmarks.py",
        "wire/auth/test_migrate.py",
        "wire/auth/test_oidc_provider.py",
        "wire/test_datasette_roles.py",
        "wire/test_django_admin.py",
        "wire/test_litestar_pages.py",
        "wire/test_log_blocked.py",
        "wire/test_log_threads.py",
        "wire/test_run_logs.py",
    )
)
"""Files that start dozens of processes; most of what they show has a quicker test elsewhere."""


def sampled(values: Iterable[Any], in_the_sample: Callable[[Any], object]) -> list[ParameterSet]:
    """The parameters of a test, those outside the sample marked `slow`. A tuple stands for several arguments."""
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=() if in_the_sample(value) else pytest.mark.slow
        )
        for value in values
    ]
