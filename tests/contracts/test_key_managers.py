"""The key managers of the house keep the promises of key managers."""

from pathlib import Path

from finial.keys import disk, memory
from finial.keys.contract import KeyManager
from finial.keys.testing import KeyManagerSuite


class TestMemory(KeyManagerSuite):
    is_durable = False

    def open(self, folder: Path) -> KeyManager:
        return memory.create(memory.Settings(), folder)


class TestDisk(KeyManagerSuite):
    def open(self, folder: Path) -> KeyManager:
        return disk.create(disk.Settings(), folder)


class TestDiskInAFolderOfItsOwn(KeyManagerSuite):
    def open(self, folder: Path) -> KeyManager:
        return disk.create(disk.Settings(directory=str(folder / "elsewhere")), folder)
