"""Keys in a folder that only we can enter, one file each (PK-02, QK-01)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from finial.keys.contract import KeyType, PrivateKey
from finial.keys.generate import generate_private_key, judge_key_id, pkcs8, private_key_of
from finial.runtime.files import (
    UnsafePath,
    private_directory,
    read_private,
    remove,
    sweep,
    write_private,
)
from finial.spiffe.refusal import Kind, Refusal

_SUFFIX: Final = ".pkcs8"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the keys are: `directory`, by default the folder `keys` in the data directory."""

    directory: str = ""


class DiskKeyManager:
    """Keeps each key as unencrypted PKCS#8 in a file that only we can read.

    A file is replaced as a whole and is on the disk before a key is used; what a crash leaves
    half-written has another ending and is never read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._keys: dict[str, PrivateKey] = {}
        self._writing = asyncio.Lock()

    async def generate(self, key_id: str, key_type: KeyType) -> PrivateKey:
        """Make a key and keep it under that name, in place of an earlier one.

        Raises: Refusal of kind INVALID (the name), UNAVAILABLE (the disk).
        """
        path = self._path(key_id)
        async with self._writing:
            # Out of memory first: should we be cancelled, what the disk says is true.
            self._keys.pop(key_id, None)
            key = await asyncio.to_thread(_generate, path, key_type)
            self._keys[key_id] = key
        return key

    async def find(self, key_id: str) -> PrivateKey | None:
        """Return the key of that name, or nothing.

        Raises: Refusal of kind UNAVAILABLE: there is one, and it cannot be read.
        """
        if key_id not in self._keys:
            key = await asyncio.to_thread(_read, self._path(key_id))
            if key is None:
                return None
            self._keys[key_id] = key
        return self._keys[key_id]

    async def key_ids(self) -> tuple[str, ...]:
        """Return the names of all keys, sorted."""
        return await asyncio.to_thread(_names, self._directory)

    async def delete(self, key_id: str) -> None:
        """Forget a key; one that does not exist is no error.

        Raises: Refusal of kind UNAVAILABLE (the disk).
        """
        path = self._path(key_id)
        async with self._writing:
            self._keys.pop(key_id, None)
            await asyncio.to_thread(_remove, path)

    def _path(self, key_id: str) -> Path:
        return self._directory / (judge_key_id(key_id) + _SUFFIX)


def create(settings: Settings, data_dir: Path) -> DiskKeyManager:
    """Open the folder of keys, making it if need be.

    Raises: Refusal of kind PRECONDITION: others could read or change what is in it.
    """
    directory = Path(settings.directory) if settings.directory else data_dir / "keys"
    try:
        sweep(private_directory(directory))
    except UnsafePath as unsafe:
        raise Refusal(
            Kind.PRECONDITION,
            f"the key folder {directory} {unsafe.fault}",
            field="directory",
            value=str(directory),
            remedy=unsafe.remedy,
        ) from unsafe
    except OSError as error:
        raise _unavailable(directory, "be used as the key folder", error) from error
    return DiskKeyManager(directory)


def _generate(path: Path, key_type: KeyType) -> PrivateKey:
    key = generate_private_key(key_type)
    try:
        write_private(path, pkcs8(key))
    except OSError as error:
        raise _unavailable(path, "be written", error) from error
    return key


def _read(path: Path) -> PrivateKey | None:
    try:
        document = read_private(path)
    except UnsafePath as unsafe:
        raise Refusal(
            Kind.UNAVAILABLE,
            f"the key file {path} {unsafe.fault}",
            field="key_id",
            value=path.stem,
            remedy=unsafe.remedy,
        ) from unsafe
    except OSError as error:
        raise _unavailable(path, "be read", error) from error
    if document is None:
        return None
    try:
        return private_key_of(document)
    except Refusal as refusal:
        raise Refusal(
            Kind.UNAVAILABLE,
            f"the key file {path} is damaged: {refusal.detail}",
            remedy="restore it from a backup or move it away",
        ) from refusal


def _remove(path: Path) -> None:
    try:
        remove(path)
    except OSError as error:
        raise _unavailable(path, "be removed", error) from error


def _names(directory: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in directory.glob(f"*{_SUFFIX}")))


def _unavailable(path: Path, deed: str, error: OSError) -> Refusal:
    return Refusal(Kind.UNAVAILABLE, f"{path} cannot {deed}: {error.strerror or error}")
