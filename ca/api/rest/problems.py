"""How REST says no: problem documents that name the field, the value and the remedy (RFC 9457)."""

import http
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any, Final, Self

from starlette.responses import Response

from finial.spiffe.refusal import Refusal
from finial.wire.status import http_status

TYPE: Final = "urn:finial:refusal:"
MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document; `slug` names its type, `more` holds further members."""

    status: int
    slug: str
    title: str
    detail: str
    field: str = ""
    value: str = ""
    remedy: str = ""
    more: Mapping[str, Any] = member(default_factory=dict)

    @classmethod
    def of(cls, refusal: Refusal, more: Mapping[str, Any] | None = None) -> Self:
        """Write a refusal as a problem."""
        return cls(
            status=http_status(refusal.kind),
            slug=refusal.kind.value.replace(" ", "-"),
            title=refusal.kind.value.capitalize(),
            detail=refusal.detail,
            field=refusal.field,
            value=refusal.value,
            remedy=refusal.remedy,
            more=more or {},
        )

    @classmethod
    def of_status(cls, status: int, detail: str) -> Self:
        """Write what the framework refused by itself (no such route, no such method)."""
        phrase = http.HTTPStatus(status).phrase
        return cls(status, phrase.lower().replace(" ", "-"), phrase, detail)

    @classmethod
    def of_shape(cls, faults: Sequence[Mapping[str, Any]]) -> Self:
        """Write what is wrong with the shape of a request; the first fault is the one named."""
        told = [_fault(fault) for fault in faults[:20]]
        first = told[0]
        return cls(
            status=400,
            slug="invalid",
            title="Invalid",
            detail=f"{first['field'] or 'the request'}: {first['detail']}",
            field=first["field"],
            value=first["value"],
            remedy="see /openapi.json for what each request takes",
            more={"errors": told} if len(told) > 1 else {},
        )

    @property
    def document(self) -> dict[str, Any]:
        """The members that are set."""
        said = {
            "type": TYPE + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "field": self.field,
            "value": self.value,
            "remedy": self.remedy,
            **self.more,
        }
        return {name: value for name, value in said.items() if value != ""}


def answer(
    problem: Problem, *, close: bool = False, headers: Mapping[str, str] | None = None
) -> Response:
    """Make the response; `close` ends the connection with it."""
    given = {**(headers or {}), **({"Connection": "close"} if close else {})}
    if problem.status == http.HTTPStatus.UNAUTHORIZED:
        given["WWW-Authenticate"] = 'Bearer realm="finial"'
    return Response(
        json.dumps(problem.document, ensure_ascii=False).encode(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=given,
    )


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    place = [str(part) for part in fault.get("loc", ())]
    if place and place[0] in ("body", "query", "path", "header"):
        place = place[1:]
    value = fault.get("input")
    shown = "" if isinstance(value, dict | list) or value is None else str(value)[:80]
    return {"field": ".".join(place), "detail": _sentence(fault), "value": shown}


def _sentence(fault: Mapping[str, Any]) -> str:
    text = str(fault.get("msg", "is wrong"))
    if fault.get("type") == "extra_forbidden":
        return "there is no such member"
    return text[:1].lower() + text[1:]
