"""How long things take: lognormal, as measured latencies are, given by what people quote."""

import math
from dataclasses import dataclass
from random import Random

_Z99 = 2.3263478740408408  # 99th percentile of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Latency:
    """A lognormal distribution by its median and 99th percentile, both in milliseconds."""

    median_ms: float
    p99_ms: float

    def draw(self, random: Random) -> float:
        """Seconds. Cut at 20 times the median, because the model has explicit faults for worse."""
        sigma = math.log(self.p99_ms / self.median_ms) / _Z99
        return self.median_ms * min(math.exp(sigma * random.gauss()), 20.0) / 1000.0
