"""Keys that live as long as the process (PK-01, QK-02)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from finial.keys.contract import KeyType, PrivateKey
from finial.keys.generate import generate_private_key, is_slow, judge_key_id


@dataclass(frozen=True, slots=True)
class Settings:
    """There is nothing to set."""


class MemoryKeyManager:
    """Keeps keys in a dictionary and nowhere else."""

    def __init__(self) -> None:
        self._keys: dict[str, PrivateKey] = {}

    async def generate(self, key_id: str, key_type: KeyType) -> PrivateKey:
        """Make a key and keep it under that name, in place of an earlier one.

        Raises: Refusal of kind INVALID (the name).
        """
        judge_key_id(key_id)
        key = await made(key_type)
        self._keys[key_id] = key
        return key

    async def find(self, key_id: str) -> PrivateKey | None:
        """Return the key of that name, or nothing."""
        return self._keys.get(key_id)

    async def key_ids(self) -> tuple[str, ...]:
        """Return the names of all keys, sorted."""
        return tuple(sorted(self._keys))

    async def delete(self, key_id: str) -> None:
        """Forget a key; one that does not exist is no error."""
        self._keys.pop(key_id, None)


async def made(key_type: KeyType) -> PrivateKey:
    """Make a key without holding up the event loop."""
    if is_slow(key_type):
        return await asyncio.to_thread(generate_private_key, key_type)
    return generate_private_key(key_type)


def create(settings: Settings, data_dir: Path) -> MemoryKeyManager:
    """Make an empty key manager."""
    return MemoryKeyManager()
