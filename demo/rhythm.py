"""How traffic moves with the hour and the day."""

import math

_DAY = 86_400
_NS = 1_000_000_000


def rhythm(time_ns: int) -> float:
    """Traffic relative to its weekly mean, 0.5 to 1.5. Quiet before dawn, peaks at noon and in the evening (UTC)."""
    seconds = time_ns // _NS
    hour = (seconds % _DAY) / 3600
    weekday = (seconds // _DAY + 3) % 7  # 1970-01-01 was a Thursday
    daily = 0.28 * math.cos((hour - 17.5) / 24 * math.tau) + 0.10 * math.cos((hour - 12.0) / 12 * math.tau)
    if weekday >= 5:  # people sleep longer and shop more
        return 1.12 + 0.9 * daily
    return 0.952 + daily
