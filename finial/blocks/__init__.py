"""Blocks: what is locked out everywhere until it is unblocked, and how that is told and asked."""

from finial.blocks.block import Block, SubjectKind
from finial.blocks.document import MAX_DOCUMENT, BlocksDocument, Crl, decode, encode
from finial.blocks.lookup import NOTHING_BLOCKED, Blocks

__all__ = [
    "MAX_DOCUMENT",
    "NOTHING_BLOCKED",
    "Block",
    "Blocks",
    "BlocksDocument",
    "Crl",
    "SubjectKind",
    "decode",
    "encode",
]
