"""What all documents have in common: unknown members and values of another type are refused."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Shape(BaseModel):
    """A document that is sent to us."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Answer(BaseModel):
    """A document that we send."""

    model_config = ConfigDict(frozen=True)


class Count(Answer):
    """How many there are."""

    count: int


class Page(Answer, Generic[T]):
    """One page of a list; without `next_page_token` it is the last."""

    items: list[T]
    next_page_token: str = Field("", description="Give it as page_token to get the next page.")


class ProblemDocument(Answer):
    """Why something was refused (RFC 9457)."""

    type: str = Field(examples=["urn:finial:refusal:invalid"])
    title: str
    status: int
    detail: str
    field: str = Field("", description="The member or parameter that was wrong.")
    value: str = Field("", description="Its value, cut short.")
    remedy: str = Field("", description="What to do.")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": ProblemDocument,
        "description": "Refused.",
        "content": {"application/problem+json": {}},
    }
}
