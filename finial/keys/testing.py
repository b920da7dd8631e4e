"""The promises of a key manager as tests: subclass, say how to make one, and run pytest.

class TestMine(KeyManagerSuite):
    def open(self, folder):
        return my_plugin.create(my_plugin.Settings(), folder)
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from finial.keys.contract import KeyManager, KeyType, PrivateKey
from finial.keys.generate import key_type_of
from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")
NO_NAMES = ("", ".", "..", ".hidden", "a/b", "../a", "a b", "a\n", "ä", "x" * 65)


class KeyManagerSuite:
    """What every key manager does; `is_durable` says whether keys outlive the process."""

    is_durable = True

    def open(self, folder: Path) -> KeyManager:
        """Make a key manager that keeps whatever it keeps in this folder."""
        raise NotImplementedError

    def test_a_key_is_found_again(self) -> None:
        """Every kind of key is made, signs, and is found under its name."""

        async def act(keys: KeyManager) -> None:
            for number, key_type in enumerate(KeyType):
                made = await keys.generate(f"x509-CA-{number}", key_type)
                found = await keys.find(f"x509-CA-{number}")
                assert found is not None
                assert key_type_of(found.public_key()) is key_type
                assert made.public_key() == found.public_key()
                _judge_signature(found)

        self._run(act)

    def test_a_name_without_a_key_finds_nothing(self) -> None:
        """A name that was never used finds nothing, and deleting it is no error."""

        async def act(keys: KeyManager) -> None:
            assert await keys.find("x509-CA-A") is None
            await keys.delete("x509-CA-A")
            assert await keys.key_ids() == ()

        self._run(act)

    def test_a_second_key_takes_the_place_of_the_first(self) -> None:
        """Making a key under a name that is in use replaces the former key."""

        async def act(keys: KeyManager) -> None:
            first = await keys.generate("JWT-Signer-A", KeyType.EC_P256)
            second = await keys.generate("JWT-Signer-A", KeyType.EC_P384)
            found = await keys.find("JWT-Signer-A")
            assert found is not None
            assert first.public_key() != second.public_key() == found.public_key()
            assert await keys.key_ids() == ("JWT-Signer-A",)

        self._run(act)

    def test_names_are_listed_in_order(self) -> None:
        """All names are listed, sorted, and a deleted one is not."""

        async def act(keys: KeyManager) -> None:
            for name in ("b", "c.1", "A"):
                await keys.generate(name, KeyType.EC_P256)
            assert await keys.key_ids() == ("A", "b", "c.1")
            await keys.delete("b")
            assert await keys.find("b") is None
            assert await keys.key_ids() == ("A", "c.1")

        self._run(act)

    def test_a_name_cannot_leave_the_store(self) -> None:
        """A name that could mean another file, or nothing, is refused as INVALID."""

        async def act(keys: KeyManager) -> None:
            for name in NO_NAMES:
                assert await _outcome(keys.generate(name, KeyType.EC_P256)) is Kind.INVALID
            assert await keys.key_ids() == ()

        self._run(act)

    def test_keys_made_at_the_same_time_are_all_there(self) -> None:
        """Keys under several names can be made at the same time; of two under one, one is left."""

        async def act(keys: KeyManager) -> None:
            names = [f"key-{number % 8}" for number in range(16)]
            made = await asyncio.gather(*(keys.generate(name, KeyType.EC_P256) for name in names))
            for name in set(names):
                found = await keys.find(name)
                candidates = [key for key, each in zip(made, names, strict=True) if each == name]
                assert found is not None
                assert found.public_key() in [each.public_key() for each in candidates]

        self._run(act)

    def test_keys_outlive_the_process_or_do_not(self) -> None:
        """A durable manager finds its keys when it is opened again, another one finds none."""

        async def first(keys: KeyManager) -> bytes:
            key = await keys.generate("x509-CA-A", KeyType.EC_P256)
            return _public_bytes(key)

        async def second(keys: KeyManager) -> bytes | None:
            found = await keys.find("x509-CA-A")
            return _public_bytes(found) if found else None

        with tempfile.TemporaryDirectory() as folder:
            made = asyncio.run(first(self.open(Path(folder))))
            found = asyncio.run(second(self.open(Path(folder))))
            assert found == (made if self.is_durable else None)

    def _run(self, act: Callable[[KeyManager], Awaitable[T]]) -> None:
        with tempfile.TemporaryDirectory() as folder:

            async def whole() -> None:
                await act(self.open(Path(folder)))

            asyncio.run(whole())


async def _outcome(act: Awaitable[object]) -> object:
    try:
        return await act
    except Refusal as refusal:
        return refusal.kind


def _judge_signature(key: PrivateKey) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(b"text", padding.PKCS1v15(), hashes.SHA256())
        key.public_key().verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(b"text", ec.ECDSA(hashes.SHA256()))
        key.public_key().verify(signature, b"text", ec.ECDSA(hashes.SHA256()))


def _public_bytes(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
