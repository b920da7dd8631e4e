"""What a key manager promises: named private keys that outlive, or do not outlive, the process."""

import enum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyType(enum.StrEnum):
    """The kinds of key that can sign for us, named as SPIRE names them (SC-06)."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    RSA_2048 = "rsa-2048"
    RSA_4096 = "rsa-4096"


class KeyManager(Protocol):
    """Keeps private keys by name.

    A plugin's module has `Settings`, a frozen dataclass, and
    `create(settings, data_dir) -> KeyManager`. A name is 1 to 64 characters of
    `A-Z a-z 0-9 . _ -` and does not begin with a dot.
    """

    async def generate(self, key_id: str, key_type: KeyType) -> PrivateKey:
        """Make a key and keep it under that name, in place of an earlier one.

        What is returned will also be found after a crash, if the manager is durable at all.

        Raises: Refusal of kind INVALID (the name), UNAVAILABLE (the store).
        """
        ...

    async def find(self, key_id: str) -> PrivateKey | None:
        """Return the key of that name, or nothing.

        Raises: Refusal of kind UNAVAILABLE: there is one, and it cannot be read.
        """
        ...

    async def key_ids(self) -> tuple[str, ...]:
        """Return the names of all keys, sorted."""
        ...

    async def delete(self, key_id: str) -> None:
        """Forget a key; one that does not exist is no error."""
        ...
