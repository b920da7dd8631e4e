"""The REST application: its routes, how it refuses, and its own description."""

import asyncio
import logging
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ca.api.rest.access import actor_of, is_known
from ca.api.rest.bounds import Application, Bounds
from ca.api.rest.parameters import judge_parameters
from ca.api.rest.problems import Problem, answer
from ca.api.rest.routes import (
    agents,
    authorities,
    blocks,
    doctor,
    entries,
    issued,
    policies,
    svids,
    tokens,
    traffic,
    watching,
)
from ca.api.rest.routes.watching import Vitals
from ca.api.rest.shapes.shape import PROBLEMS
from ca.events.happened import CallRefused
from ca.operations.administration.administer_entries import SimilarEntry
from ca.operations.world import World
from finial.spiffe.refusal import Kind, Refusal

API_VERSION: Final = "1.0.0"
_DESCRIPTION: Final = (
    "Administration of a finial CA server: on its admin socket for root and the server's user, "
    "over HTTPS with an API token whose scopes name what it may do. IDs and selectors are text, "
    "times RFC 3339, refusals problem documents (RFC 9457)."
)

_PARTS: Final = (
    entries,
    agents,
    tokens,
    authorities,
    issued,
    svids,
    watching,
    doctor,
    blocks,
    policies,
    traffic,
)

logger = logging.getLogger("finial.rest")


def describe() -> dict[str, Any]:
    """Return the OpenAPI document."""
    document = _framework().openapi()
    document["components"]["schemas"].pop("HTTPValidationError", None)
    document["components"]["schemas"].pop("ValidationError", None)
    for verbs in document["paths"].values():
        for operation in verbs.values():
            operation.get("responses", {}).pop("422", None)
    return document


def application(world: World, vitals: Vitals) -> Application:
    """Make the application that serves one server."""
    framework = _framework()
    framework.state.world = world
    framework.state.vitals = vitals
    framework.state.description = describe()
    framework.state.diagnosing = asyncio.Lock()
    return Bounds(framework, partial(is_known, world))


def _framework() -> FastAPI:
    framework = FastAPI(
        title="finial",
        version=API_VERSION,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
        redirect_slashes=False,
        dependencies=[Depends(judge_parameters)],
        generate_unique_id_function=lambda route: f"{route.tags[0]}.{route.name}",
    )
    for part in _PARTS:
        framework.include_router(part.router)
    framework.add_exception_handler(Refusal, _refused)
    framework.add_exception_handler(RequestValidationError, _misshapen)
    framework.add_exception_handler(HTTPException, _unrouted)
    framework.add_exception_handler(Exception, _broken)
    return framework


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    _record(request, refusal)
    existing = {"existing_id": refusal.entry.id} if isinstance(refusal, SimilarEntry) else None
    return answer(Problem.of(refusal, existing))


async def _misshapen(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    return answer(Problem.of_shape(fault.errors()))


async def _unrouted(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    return answer(Problem.of_status(fault.status_code, str(fault.detail)), headers=fault.headers)


async def _broken(request: Request, fault: Exception) -> Response:
    # What escaped is logged, whole, by `Bounds`; the caller learns no more than that it is a bug.
    return answer(Problem.of(Refusal(Kind.INTERNAL, "internal error")))


def _record(request: Request, refusal: Refusal) -> None:
    world: World = request.app.state.world
    try:
        world.record(
            CallRefused(actor_of(request), f"{request.method} {request.url.path}", refusal)
        )
    except Refusal as unaudited:
        # It was refused anyway; that it could not be written down is the operator's matter.
        logger.warning("a refusal could not be audited: %s", unaudited)
