"""What `make test` leaves out, since it shows little that a sample does not: `make slow` runs it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet


def sampled(values: Iterable[Any], in_the_sample: Callable[[Any], object]) -> list[ParameterSet]:
    """The parameters of a test, those outside the sample marked `slow`. A tuple stands for several arguments."""
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=() if in_the_sample(value) else pytest.mark.slow
        )
        for value in values
    ]
