"""The agent's own SVID across a restart: `agent.json`, with the name of the key that fits it."""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.membership.standing import OwnSvid
from finial.runtime.files import UnsafePath, read_private, remove, write_private
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """What an agent needs to go on after a restart as the one it was."""

    trust_domain: TrustDomain
    servers: tuple[str, ...]
    svid: OwnSvid


class OwnIdentityFile:
    """One file that is whole or not there; only we can read it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "agent.json"

    def load(self) -> StoredIdentity | None:
        """Return what was stored, or nothing.

        Raises: Refusal of kind PRECONDITION: there is a file and it is unsafe or damaged.
        """
        try:
            document = read_private(self._path)
            return None if document is None else _parse(json.loads(document))
        except UnsafePath as unsafe:
            raise Refusal(
                Kind.PRECONDITION, f"{self._path} {unsafe.fault}", remedy=unsafe.remedy
            ) from unsafe
        except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
            raise self._damaged(str(error)) from error
        except Refusal as refusal:
            raise self._damaged(refusal.detail) from refusal

    def store(self, identity: StoredIdentity) -> None:
        """Keep this in place of what was stored; it is on the disk when this returns.

        Raises: OSError.
        """
        write_private(self._path, json.dumps(_render(identity), indent=1).encode())

    def forget(self) -> None:
        """Remove what was stored, for good. Raises: OSError."""
        remove(self._path)

    def _damaged(self, detail: str) -> Refusal:
        return Refusal(
            Kind.PRECONDITION,
            f"{self._path} is damaged ({detail})",
            remedy="move it away, and the agent attests anew",
        )


def _render(identity: StoredIdentity) -> dict[str, Any]:
    svid = identity.svid
    return {
        "version": _VERSION,
        "trust_domain": identity.trust_domain.name,
        "servers": list(identity.servers),
        "key_id": svid.key_id,
        "reattestable": svid.reattestable,
        "renew_at": svid.renew_at,
        "chain": [base64.b64encode(each).decode() for each in svid.chain],
    }


def _parse(document: dict[str, Any]) -> StoredIdentity:
    if document["version"] != _VERSION:
        raise ValueError(f"its version is {document['version']!r}, known is {_VERSION}")
    svid = X509Svid.parse([base64.b64decode(each, validate=True) for each in document["chain"]])
    own = OwnSvid(
        svid.id,
        svid.chain,
        str(document["key_id"]),
        svid.serial,
        svid.not_after,
        float(document["renew_at"]),
        document["reattestable"] is True,
    )
    servers = tuple(str(each) for each in document["servers"])
    return StoredIdentity(TrustDomain.parse(document["trust_domain"]), servers, own)
