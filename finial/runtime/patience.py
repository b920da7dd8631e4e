"""Waiting for an answer that must not take the others with it."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger("finial.patience")


async def within(asked: Awaitable[T], seconds: float, *, what: str, late: T, broken: T) -> T:
    """Wait so many seconds; return what is given for one that is late, or that raised.

    What was raised is logged whole, with `what` was asked.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        return late
    except Exception:
        log.exception("%s failed", what)
        return broken
