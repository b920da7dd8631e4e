"""Times: RFC 3339 in documents, Unix seconds inside; none at all is 0 inside."""

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field


def _in_utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError("has no offset from UTC: write 2030-01-01T00:00:00Z")
    return value.astimezone(dt.UTC)


Instant = Annotated[
    dt.datetime,
    AfterValidator(_in_utc),
    Field(examples=["2030-01-01T00:00:00Z"]),
]


def seconds(instant: dt.datetime | None) -> int:
    """Unix seconds of a time, 0 if there is none."""
    return int(instant.timestamp()) if instant is not None else 0


def instant(unix_seconds: float) -> dt.datetime | None:
    """A time from Unix seconds, none from 0."""
    return dt.datetime.fromtimestamp(int(unix_seconds), dt.UTC) if unix_seconds else None
