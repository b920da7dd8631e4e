"""Explanations as documents: the same members as `finial.explain.explanation`, described.

Members that are empty are left out of the answer.
"""

from typing import Literal

from pydantic import Field

from ca.api.rest.shapes.shape import Answer


class ProcessDocument(Answer):
    """The process as the kernel of its node knows it."""

    pid: int
    uid: int
    gid: int
    exe: str = ""


class AttestorDocument(Answer):
    """What one attestor said of the process."""

    name: str
    status: str = Field(examples=["attested", "not applicable", "failed", "denied"])
    selectors: list[str] = []
    facts: list[tuple[str, str]] = Field([], description="What was found and is no selector.")
    remarks: list[str] = Field([], description="Which selectors could not be given, and why.")
    detail: str = ""


class MissingDocument(Answer):
    """A selector that an entry asks for and the process has not."""

    wanted: str
    closest: str = Field("", description="The nearest selector that was found.")
    why: str = ""


class ComparedEntry(Answer):
    """An entry as it compares with the process."""

    id: str
    spiffe_id: str
    selectors: list[str] = []
    missing: list[MissingDocument] = []
    state: str = Field("", description="What else stands in its way.")


class ElsewhereDocument(Answer):
    """An entry that the agent does not have, and why not."""

    entry: ComparedEntry
    parent_id: str
    why: str


class FixDocument(Answer):
    """What can be done."""

    what: str
    command: str = ""


class ExplanationDocument(Answer):
    """Why a process got what it got; times are Unix seconds, causes the likeliest first."""

    agent_id: str
    process: ProcessDocument
    outcome: Literal["served", "refused", "would be served", "would be refused"]
    first_at: float
    last_at: float
    count: int = 1
    method: str = ""
    reason: str = Field("", description="What the caller was told.")
    refusal: str = Field("", description="The id that the caller was told with it.")
    attestors: list[AttestorDocument] = []
    matches: list[ComparedEntry] = []
    nearest: list[ComparedEntry] = []
    elsewhere: list[ElsewhereDocument] = []
    causes: list[str] = []
    fixes: list[FixDocument] = []
    shortened: bool = Field(False, description="There was more to tell than is told here.")
