"""What an agent receives of the topic `blocks`: everything that is blocked, in one document.

It says the whole each time, so that whoever has the latest one needs no other. What a block hits is
resolved by the server, as far as only the server can: the entries that name a blocked selector, the
serial numbers and JWT ids that a blocked entry or agent obtained. Each of these names its block.
"""

from typing import Final

import msgspec

from finial.blocks.block import Block
from finial.spiffe.refusal import Kind, Refusal

MAX_DOCUMENT: Final = 3 * 1024 * 1024
"""So many bytes at most; a message of gRPC holds four mebibytes."""


class Crl(msgspec.Struct, frozen=True):
    """One authority's certificate revocation list (RFC 5280), in DER.

    `authority_id` is the authority's subject key identifier in hex. There is one for each X.509
    authority of the trust domain, also when nothing of it is revoked: a verifier that looks refuses
    what it has no list for. `next_update` is in Unix seconds.
    """

    authority_id: str
    der: bytes
    next_update: int


class BlocksDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is blocked; a higher `version` is newer, and says so of the topic too.

    The members from `spiffe_ids` on map what is blocked to the id of its block in `blocks`:
    SPIFFE IDs (agents' own too), entry ids, selectors as text, X.509 serial numbers in decimal,
    JWT ids. `shortened` says that serial numbers and JWT ids were too many for one document.
    """

    version: int
    blocks: tuple[Block, ...] = ()
    spiffe_ids: dict[str, str] = {}
    entries: dict[str, str] = {}
    selectors: dict[str, str] = {}
    serials: dict[str, str] = {}
    jtis: dict[str, str] = {}
    crls: tuple[Crl, ...] = ()
    shortened: bool = False


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(BlocksDocument)


def encode(document: BlocksDocument) -> bytes:
    """Write a document as JSON, CRLs in base64."""
    return _encoder.encode(document)


def decode(content: bytes | str) -> BlocksDocument:
    """Read a document; members that a later server adds are passed over.

    Raises: Refusal of kind INVALID.
    """
    if len(content) > MAX_DOCUMENT:
        raise Refusal(Kind.INVALID, f"the document of blocks is longer than {MAX_DOCUMENT} bytes")
    try:
        return _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal(Kind.INVALID, f"the document of blocks is none: {error}") from None
