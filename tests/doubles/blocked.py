"""Documents of blocks, made short."""

from typing import Any

from finial.blocks import Block, Blocks, BlocksDocument, SubjectKind
from tests.doubles.clock import NOW

LEAKED = Block("b1", SubjectKind.SPIFFE_ID, "spiffe://example.org/web", "key leaked", int(NOW) - 60)


def blocking(version: int = 1, block: Block = LEAKED, **names: Any) -> BlocksDocument:
    """A document in which one block is in force, under the names that are given by kind."""
    told = {
        kind: dict.fromkeys([value] if isinstance(value, str) else value, block.id)
        for kind, value in names.items()
        if kind not in ("crls", "shortened")
    }
    rest = {kind: value for kind, value in names.items() if kind in ("crls", "shortened")}
    return BlocksDocument(version=version, blocks=(block,), **told, **rest)


def blocks(**names: Any) -> Blocks:
    """The same, ready to be asked."""
    return Blocks(blocking(**names))
