"""Whether the server is well, check by check: `/v1/doctor`."""

from typing import Annotated

from fastapi import APIRouter, Request, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.diagnosis import Diagnoses
from ca.operations.diagnosing import diagnose
from ca.registry.api_token import Scope

router = APIRouter(prefix="/v1", tags=["watching"])

Reader = Annotated[
    Administrator, Security(authorized, scopes=[Scope.AGENTS_READ, Scope.ENTRIES_READ])
]


@router.get("/doctor")
async def doctor(request: Request, caller: Reader) -> Diagnoses:
    """Look at everything that the server depends on, and say what to do where it is not well."""
    # It reads the whole ledger, so one at a time and no more.
    async with request.app.state.diagnosing:
        return Diagnoses.of(await diagnose(world_of(request)))
