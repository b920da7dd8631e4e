"""Who calls whom, as it is shown: how often a second, what just happened at the top."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cli.printing import plain

Document = Mapping[str, Any]
Key = tuple[object, ...]

_KEY: Final = ("caller", "callee", "means", "outcome", "method", "path", "reason")
MEANS: Final = {"mtls": "mTLS", "forwarded": "forwarded", "jwt": "JWT", "none": "nothing"}
OUTCOMES: Final = {"allowed": "allowed", "shadowed": "would be denied", "denied": "denied"}


@dataclass(frozen=True, slots=True)
class Flow:
    """One line; `rate` is in requests a second since the last look, None at the first one."""

    document: Document
    rate: float | None


class Rates:
    """Remembers counts from one look to the next."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}
        self._looked_at: float | None = None

    def of(self, items: Iterable[Document], now: float) -> Sequence[Flow]:
        """These flows with their rates, the most frequent first; `now` is monotonic."""
        before, looked_at = self._counts, self._looked_at
        self._counts = {_key(each): each["count"] for each in items}
        self._looked_at = now
        seconds = 0.0 if looked_at is None else now - looked_at
        flows = []
        for each in items:
            gained = each["count"] - before.get(_key(each), 0)
            # A server that began anew counts less than before.
            rate = max(gained, 0) / seconds if seconds > 0 else None
            flows.append(Flow(each, rate))
        return sorted(flows, key=_busiest_first)


def columns(by: str) -> Mapping[str, str]:
    """The columns of a table, by name, with their headings."""
    requests = {"method": "METHOD", "path": "PATH", "reason": "REASON"} if by == "requests" else {}
    return {
        "caller": "CALLER",
        "callee": "CALLEE",
        "means": "BY",
        "outcome": "OUTCOME",
        **requests,
        "rate": "A SECOND",
        "count": "REQUESTS",
        "first": "SINCE",
        "last": "LAST SEEN",
    }


def cells(flow: Flow, now: dt.datetime) -> Mapping[str, str]:
    """A line of the table, as text that no terminal obeys."""
    found = flow.document
    return {
        "caller": plain(found["caller"]) or "nobody",
        "callee": plain(found["callee"]) or "nobody",
        "means": MEANS.get(found["means"], plain(found["means"])),
        "outcome": OUTCOMES.get(found["outcome"], plain(found["outcome"])),
        "method": plain(found["method"]) or "others",
        "path": plain(found["path"]),
        "reason": plain(found["reason"]),
        "rate": "" if flow.rate is None else f"{flow.rate:.1f}",
        "count": f"{found['count']:,}",
        "first": _ago(found["first_seen"], now),
        "last": _ago(found["last_seen"], now),
    }


def summary(page: Document, flows: Iterable[Flow]) -> str:
    """One line about everything, and about what is missing in it."""
    counts = dict.fromkeys(OUTCOMES, 0)
    for flow in flows:
        counts[flow.document["outcome"]] += flow.document["count"]
    said = ", ".join(f"{count:,} {OUTCOMES[name]}" for name, count in counts.items())
    gaps = [f"{plain(agent)} did not answer" for agent in page["silent"]]
    if page["unable"]:
        gaps.append(f"{page['unable']} connected agents keep no record")
    return "; ".join([said, *gaps])


def _key(document: Document) -> Key:
    return tuple(document[name] for name in _KEY)


def _busiest_first(flow: Flow) -> tuple[float, float, Key]:
    last = _time(flow.document["last_seen"])
    seen = 0.0 if last is None else last.timestamp()
    return (-(flow.rate or 0.0), -seen, tuple(map(str, _key(flow.document))))


def _time(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def _ago(text: str | None, now: dt.datetime) -> str:
    instant = _time(text)
    if instant is None:
        return ""
    seconds = max(int((now - instant).total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago" if seconds > 1 else "now"
