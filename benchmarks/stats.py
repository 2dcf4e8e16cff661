"""Low percentiles of blocks, and how far they may be trusted. Plain values in, plain values out."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LOW = 0.10
"""The share of a candidate's blocks that may be cheaper than what is called its cost."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, and the interval that holds it in 95 of 100 resamplings of the rounds."""

    value: float
    low: float
    high: float


class Blocks:
    """The cost of each candidate's block in each round, in nanoseconds per request.

    The bootstrap draws whole rounds, so that a round in which the machine was busy counts for every
    candidate or for none: what they share cancels in differences and ratios, as it does in the measurement.
    """

    def __init__(self, costs: Mapping[str, Sequence[float]], *, resamples: int = 400, seed: int = 1) -> None:
        rounds = {len(blocks) for blocks in costs.values()}
        if len(rounds) != 1 or rounds == {0}:
            raise ValueError("every candidate needs one block in every round, and there must be a round")
        self.rounds = rounds.pop()
        self._sorted = {name: sorted(zip(blocks, range(self.rounds), strict=True)) for name, blocks in costs.items()}
        once = [1] * self.rounds
        self._cost = {name: self._low(name, once) for name in costs}
        draw = random.Random(seed)
        self._drawn: list[dict[str, float]] = []
        for _ in range(resamples):
            times = [0] * self.rounds
            for number in draw.choices(range(self.rounds), k=self.rounds):
                times[number] += 1
            self._drawn.append({name: self._low(name, times) for name in costs})

    def _low(self, name: str, times: Sequence[int]) -> float:
        """Give the 10th percentile (nearest rank) when round i counts `times[i]` times."""
        left = max(1, round(LOW * self.rounds))
        for cost, number in self._sorted[name]:
            left -= times[number]
            if left <= 0:
                return cost
        raise AssertionError("a resample has as many rounds as there are")

    def estimate(self, of: Callable[[Mapping[str, float]], float]) -> Estimate:
        """Work `of` out from the costs by name, and again from each resample."""
        drawn = sorted(of(costs) for costs in self._drawn)
        edge = round(0.025 * len(drawn))
        return Estimate(of(self._cost), drawn[edge], drawn[-1 - edge])

    def cost(self, name: str) -> Estimate:
        """Nanoseconds per request."""
        return self.estimate(lambda costs: costs[name])

    def added(self, name: str, over: str) -> Estimate:
        """Nanoseconds per request above another candidate's."""
        return self.estimate(lambda costs: costs[name] - costs[over])

    def ratio(self, name: str, over: str, peer: str, peer_over: str) -> Estimate:
        """What `name` adds over its bare app, divided by what `peer` adds over its own; NaN if that is none."""

        def of(costs: Mapping[str, float]) -> float:
            base = costs[peer] - costs[peer_over]
            return (costs[name] - costs[over]) / base if base > 0 else float("nan")

        return self.estimate(of)
