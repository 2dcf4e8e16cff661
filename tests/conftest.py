"""What holds for every test."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.slow import SLOW

HERE = Path(__file__).parent

# The machine may be busy: examples are counted, not timed.
settings.register_profile("narthex", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "narthex"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in files that are slow as a whole."""
    for item in items:
        if Path(item.path).relative_to(HERE).as_posix() in SLOW:
            item.add_marker(pytest.mark.slow)
