"""Selectors: what an attestor found out about a node or a workload."""

from dataclasses import dataclass
from typing import Self

from finial.spiffe.refusal import Kind, Refusal


@dataclass(frozen=True, slots=True, order=True)
class Selector:
    """One property, such as `unix:uid:1000`: the attestor's name and what it found."""

    type: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `type:value`; the value may hold colons.

        Raises: Refusal of kind INVALID.
        """
        kind, _, value = text.partition(":")
        return cls.of(kind, value)

    @classmethod
    def of(cls, type_: str, value: str) -> Self:
        """Join a type without colon and a value, neither of them empty.

        Raises: Refusal of kind INVALID.
        """
        if not type_ or ":" in type_:
            fault = "a selector begins with a type, such as unix:uid:1000"
        elif not value:
            fault = "a selector has a value after its type, such as unix:uid:1000"
        else:
            return cls(type_, value)
        raise Refusal(Kind.INVALID, fault, field="selectors", value=f"{type_}:{value}"[:80])

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"
