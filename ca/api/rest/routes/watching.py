"""What watches the server: health for probes, metrics, and the API's own description."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import HTMLResponse, JSONResponse

from ca.api.rest.access import Administrator, authorized
from ca.api.rest.docs_page import render
from ca.api.rest.shapes.shape import Answer
from ca.registry.api_token import Scope
from finial.runtime.reporting.metrics import CONTENT_TYPE

router = APIRouter(tags=["watching"])

Metering = Annotated[Administrator, Security(authorized, scopes=[Scope.METRICS_READ])]
Reading = Annotated[Administrator, Security(authorized, scopes=[Scope.DOCS_READ])]


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the server is: its metrics as text, and the names of what is not well."""

    metrics: Callable[[], bytes]
    failing: Callable[[], tuple[str, ...]]


class Health(Answer):
    """Whether the server is well, and what is not."""

    status: Literal["ok", "failing"]
    failing: list[str] = []


@router.get("/v1/health/live")
async def live() -> Health:
    """Say that the process answers."""
    return Health(status="ok")


@router.get("/v1/health/ready", responses={503: {"model": Health}})
async def ready(request: Request, response: Response) -> Health:
    """Say whether the server can do its work."""
    failing = _vitals(request).failing()
    response.status_code = 503 if failing else 200
    return Health(status="failing" if failing else "ok", failing=list(failing))


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, caller: Metering) -> Response:
    """Give the figures for Prometheus."""
    return Response(_vitals(request).metrics(), headers={"Content-Type": CONTENT_TYPE})


@router.get("/openapi.json", response_class=JSONResponse)
async def openapi(request: Request, caller: Reading) -> JSONResponse:
    """Give the description of this API."""
    return JSONResponse(_description(request))


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request, caller: Reading) -> HTMLResponse:
    """Show the description of this API to people."""
    return HTMLResponse(
        render(_description(request)),
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


def _vitals(request: Request) -> Vitals:
    vitals = request.app.state.vitals
    assert isinstance(vitals, Vitals)
    return vitals


def _description(request: Request) -> dict[str, Any]:
    description = request.app.state.description
    assert isinstance(description, dict)
    return description
