"""Lengths of time as people write them: `24h`, `1h30m`, `90s`."""

import re
from typing import Annotated, Final

_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|[dhms])", re.ASCII)
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


class IsDuration:
    """Marks a number of seconds that a file writes as text such as `1h30m`."""


Duration = Annotated[float, IsDuration]
"""Seconds; a file has them as `24h`, `1h30m`, `90s`, `500ms` or a number of seconds."""


def parse_duration(text: str) -> float:
    """Read `24h`, `1h30m`, `90s` or `500ms` as seconds. Raises: ValueError."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a duration such as 24h, 1h30m, 90s or 500ms")
    return sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))


def render_duration(seconds: float) -> str:
    """Write whole seconds as `1h30m`; a fraction is dropped, nothing is `0s`."""
    left = int(seconds)
    parts = []
    for unit in ("d", "h", "m", "s"):
        amount, left = divmod(left, int(_UNITS[unit]))
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"
