"""Authorities without real keys, for rules that look at times and places only."""

from typing import Any

from ca.authority.slot import Phase, Slot, Use


def slot(
    authority_id: str = "a1", start: float = 1_800_000_000, life: int = 86_400, **changes: Any
) -> Slot:
    """An X.509 slot made at `start` for `life` seconds, backdated by 10; `changes` replace fields."""
    fields: dict[str, Any] = {
        "use": Use.X509,
        "phase": Phase.PREPARED,
        "authority_id": authority_id,
        "key_id": f"key-{authority_id}",
        "document": authority_id.encode(),
        "not_before": int(start) - 10,
        "not_after": int(start) + life,
    }
    return Slot(**{**fields, **changes})
