"""The bytes that Envoy is answered, the same ones made once."""

from collections import OrderedDict
from itertools import product
from typing import Final

import msgspec

from agent.access.verdict import Verdict
from agent.operations.record_decisions import Decided
from finial.spiffe.identity import SpiffeId
from finial.wire.pb import envoy_authz_pb2, envoy_core_pb2
from finial.wire.status import Code

FORBIDDEN: Final = 403
REASON_HEADER: Final = "x-finial-reason"
MOST_REMEMBERED: Final = 4096

_OVERWRITE: Final = envoy_core_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


class CheckAnswers:
    """Makes CheckResponses."""

    def __init__(self, caller_header: str) -> None:
        self._caller_header = caller_header
        self._look_alikes = look_alikes(caller_header)
        self._allowed: OrderedDict[SpiffeId | None, bytes] = OrderedDict()

    def answer(self, decided: Decided) -> bytes:
        """The answer to one question."""
        if not decided.verdict.lets_through:
            return _denied(decided)
        caller = decided.verdict.caller.id
        known = self._allowed.get(caller)
        if known is None:
            known = self._allowed[caller] = self._allow(caller)
            if len(self._allowed) > MOST_REMEMBERED:
                self._allowed.popitem(last=False)
        return known

    def _allow(self, caller: SpiffeId | None) -> bytes:
        response = envoy_authz_pb2.CheckResponse()
        response.status.code = Code.OK
        response.ok_response.SetInParent()
        if not self._caller_header:
            return response.SerializeToString()
        response.ok_response.headers_to_remove.extend(self._look_alikes)
        if caller is None:
            response.ok_response.headers_to_remove.append(self._caller_header)
        else:
            # Removing it, too, would take away what is set here.
            added = response.ok_response.headers.add(append_action=_OVERWRITE)
            added.header.key, added.header.value = self._caller_header, str(caller)
        return response.SerializeToString()


def look_alikes(header: str) -> tuple[str, ...]:
    """The header's name with underscores for dashes: to services behind CGI or WSGI it is the same.

    Envoy lets such headers through.
    """
    first, *others = header.split("-")
    spelled = product("-_", repeat=len(others))
    next(spelled)
    return tuple(first + "".join(map("".join, zip(each, others, strict=True))) for each in spelled)


def _denied(decided: Decided) -> bytes:
    response = envoy_authz_pb2.CheckResponse()
    response.status.code = Code.PERMISSION_DENIED
    response.status.message = decided.verdict.reason.value
    denied = response.denied_response
    denied.status.code = FORBIDDEN
    denied.body = denial_body(decided.verdict, decided.id)
    for key, value in (
        ("content-type", "application/json"),
        (REASON_HEADER, decided.verdict.reason.value),
    ):
        added = denied.headers.add(append_action=_OVERWRITE)
        added.header.key, added.header.value = key, value
    return response.SerializeToString()


def denial_body(verdict: Verdict, id_: str) -> str:
    """What whoever is denied may read: the reason's id, and that of the denial."""
    return msgspec.json.encode({"reason": verdict.reason.value, "refusal": id_}).decode() + "\n"
