"""The disk key manager: one private file a key, whole or not there."""

import asyncio
import os
import signal
import stat
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from finial.keys import disk
from finial.keys.contract import KeyType
from finial.keys.generate import key_type_of, pkcs8, private_key_of
from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")


def opened(folder: Path) -> disk.DiskKeyManager:
    return disk.create(disk.Settings(), folder)


def run(act: Awaitable[T]) -> T:
    async def whole() -> T:
        return await act

    return asyncio.run(whole())


def test_a_key_is_a_file_that_only_we_can_read(tmp_path: Path) -> None:
    """Folder 0700, file 0600, and nothing else beside it (PK-02)."""
    run(opened(tmp_path).generate("x509-CA-A", KeyType.EC_P256))
    (file,) = (tmp_path / "keys").iterdir()
    assert file.name == "x509-CA-A.pkcs8"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert private_key_of(file.read_bytes())


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o755])
def test_a_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A key folder that others can enter or write to stops the start, with the remedy."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(Refusal, match="chmod 700") as caught:
        opened(tmp_path)
    assert caught.value.kind is Kind.PRECONDITION


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A key folder that is a symbolic link stops the start."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "keys").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refusal, match="symbolic link"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A key folder below nothing stops the start."""
    with pytest.raises(Refusal, match="cannot be used as the key folder") as caught:
        opened(tmp_path / "missing" / "below")
    assert caught.value.kind is Kind.UNAVAILABLE


def test_what_a_crash_left_is_removed_and_never_read(tmp_path: Path) -> None:
    """A half-written key file is no key, and is gone after the next start."""
    run(opened(tmp_path).generate("x509-CA-A", KeyType.EC_P256))
    whole = (tmp_path / "keys" / "x509-CA-A.pkcs8").read_bytes()
    leftover = tmp_path / "keys" / ".x509-CA-A.pkcs8.4711.0.new"
    leftover.write_bytes(whole[:20])
    keys = opened(tmp_path)
    assert not leftover.exists()
    assert run(keys.key_ids()) == ("x509-CA-A",)
    found = run(keys.find("x509-CA-A"))
    assert found is not None
    assert pkcs8(found) == whole


def test_a_process_killed_while_writing_loses_no_key(tmp_path: Path) -> None:
    """Killed at any moment of replacing a key, the former or the new one is there, whole."""
    run(opened(tmp_path).generate("x509-CA-A", KeyType.EC_P256))
    for count in range(1, 11):
        ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            keys = opened(tmp_path)
            while True:
                run(keys.generate("x509-CA-A", KeyType.EC_P256))
                os.write(tell, b".")
        for _ in range(count):
            os.read(ready, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(tell)
        assert run(opened(tmp_path).find("x509-CA-A")) is not None
        assert len(list((tmp_path / "keys").iterdir())) == 1


def test_a_damaged_key_is_unavailable_and_not_missing(tmp_path: Path) -> None:
    """A key that cannot be read is an error: a CA never makes a new one in its place unasked."""
    run(opened(tmp_path).generate("x509-CA-A", KeyType.EC_P256))
    path = tmp_path / "keys" / "x509-CA-A.pkcs8"
    path.write_bytes(b"damaged")
    with pytest.raises(Refusal, match="is damaged") as caught:
        run(opened(tmp_path).find("x509-CA-A"))
    assert caught.value.kind is Kind.UNAVAILABLE
    path.chmod(0o644)
    with pytest.raises(Refusal, match="can be read by others"):
        run(opened(tmp_path).find("x509-CA-A"))
    path.unlink()
    path.mkdir()
    with pytest.raises(Refusal) as caught:
        run(opened(tmp_path).find("x509-CA-A"))
    assert caught.value.kind is Kind.UNAVAILABLE


def test_a_key_that_cannot_be_stored_is_not_made(tmp_path: Path) -> None:
    """A key that is not on the disk is refused, and the former one stays."""
    keys = opened(tmp_path)
    former = run(keys.generate("x509-CA-A", KeyType.EC_P256))
    folder = tmp_path / "keys"
    folder.rename(tmp_path / "moved")
    with pytest.raises(Refusal, match="cannot be written") as caught:
        run(keys.generate("x509-CA-A", KeyType.EC_P256))
    assert caught.value.kind is Kind.UNAVAILABLE
    (tmp_path / "moved").rename(folder)
    found = run(keys.find("x509-CA-A"))
    assert found is not None
    assert pkcs8(found) == pkcs8(former)


def test_keys_that_are_not_ours_to_use_are_refused() -> None:
    """Only EC P-256 and P-384 and RSA of 2048 and 4096 bits sign for us."""
    for odd in (
        ec.generate_private_key(ec.SECP521R1()).public_key(),
        rsa.generate_private_key(65537, 1024).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ):
        with pytest.raises(Refusal, match="none of"):
            key_type_of(odd)


def test_a_document_that_is_no_key_is_refused_without_showing_it() -> None:
    """Neither garbage nor an encrypted or foreign key is taken for one."""
    form = serialization.PrivateFormat.PKCS8
    der = serialization.Encoding.DER
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        der, form, serialization.BestAvailableEncryption(b"word")
    )
    foreign = ed25519.Ed25519PrivateKey.generate().private_bytes(
        der, form, serialization.NoEncryption()
    )
    for document in (b"", b"secret garbage", locked, foreign):
        with pytest.raises(Refusal) as caught:
            private_key_of(document)
        assert "garbage" not in str(caught.value)
