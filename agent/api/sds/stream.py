"""A stream of secrets, for as long as its Envoy keeps it open.

The rules:

1. The process is attested when the stream opens. Before each answer it is looked at again: the one
   that connected must still be there.
2. What there is is sent at once, and each change of it when it happens.
3. While a stream has nothing of what it asks for it is held, for a bounded time, because an Envoy
   that is told no comes back late: an SVID that is being signed, an entry that is just being made
   or made anew arrives without its asking again. Then the stream ends with the reason.
4. A refusal is recorded when it is found, not when the stream ends: whoever looks for the reason
   finds it at once, with the same record and id as a caller of the Workload API has.
5. What can never become anything ends the stream at once, unless it is open for other things too.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.api.call_records import CallRecords
from agent.api.sds.catalogue import Missing, Offer
from agent.api.sds.envoy import form_of
from agent.api.sds.rejections import Rejections
from agent.api.sds.secret import Form
from agent.api.sds.secrets import Secrets
from agent.api.sds.state_of_world import StateOfTheWorld
from agent.api.sds.subscription import Reply, Subscription
from agent.api.streams import Changes
from agent.operations.attest_caller import CallerAttestation, Findings, Unserved, check
from agent.operations.subscriptions import Subscriptions
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.pb.envoy_discovery_pb2 import DiscoveryRequest, DiscoveryResponse

MOST_RECORDED: Final = 8
"""To record a refusal, the process is looked at. A request may hold 256 names."""
HOPELESS: Final = frozenset({Kind.INVALID, Kind.PRECONDITION, Kind.UNAVAILABLE})
"""What waiting does not change; UNAVAILABLE is told to whom an attestor failed for, once."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What every stream of secrets needs; `hold` is how long one may be held, in seconds."""

    secrets: Secrets
    attestation: CallerAttestation
    subscriptions: Subscriptions
    changes: Changes
    records: CallRecords
    rejections: Rejections
    clock: Clock
    hold: float


async def serve(serving: Serving, call: Call[KernelPeer], subscription: Subscription) -> None:
    """Serve one stream until its client goes or nothing of what it asks for is left.

    Raises: Refusal of kind DENIED, UNAVAILABLE, INVALID, PRECONDITION.
    """
    await _recorded(stream := _Stream(serving, call, subscription), stream.run())


async def fetch(serving: Serving, call: Call[KernelPeer], request: DiscoveryRequest) -> Any:
    """Answer one request with what there is, or what soon will be.

    Raises: Refusal of kind DENIED, UNAVAILABLE, INVALID, PRECONDITION.
    """
    stream = _Stream(serving, call, StateOfTheWorld())
    return await _recorded(stream, stream.fetch(request))


async def _recorded(stream: "_Stream", answering: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await answering
    except _Recorded as recorded:
        raise recorded.refusal from recorded
    except Refusal as refusal:
        raise stream.refused(refusal) from refusal
    finally:
        stream.close()


class _Recorded(Exception):
    """A refusal that has been recorded already."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def refusal_of(missing: Missing, findings: Findings) -> Refusal:
    """What a caller is told who gets nothing because of that."""
    if missing.kind is not Kind.DENIED:
        return Refusal(missing.kind, missing.why)
    if missing.withheld or findings.failures or not missing.why:
        return findings.no_identity(missing.asked_for, missing.withheld)
    return Unserved(Kind.DENIED, missing.why, findings.said)


def _refused(offer: Offer) -> dict[str, Missing]:
    """What there is not, and is not on its way either."""
    missing = offer.missing.items()
    return {name: each for name, each in missing if each.kind is not Kind.UNAVAILABLE}


def _look(missing: Missing) -> int:
    """A number for the reason why there is nothing, which is much smaller than the reason."""
    withheld = ((each.entitlement.id, each.block.id) for each in missing.withheld)
    return hash((missing.kind, missing.why, missing.asked_for, *withheld))


def _coming(missing: Missing) -> Refusal:
    return Refusal(missing.kind, missing.why)


class _Stream:
    """One open stream: what it is held for, and what it was refused."""

    __slots__ = (
        "_call",
        "_entry_ids",
        "_form",
        "_held_until",
        "_reading",
        "_refused",
        "_s",
        "_subscription",
        "_told",
        "_waits",
        "findings",
    )

    def __init__(
        self, serving: Serving, call: Call[KernelPeer], subscription: Subscription
    ) -> None:
        self._s = serving
        self._call = call
        self._subscription = subscription
        self._form = Form.SPIFFE
        self._entry_ids: tuple[str, ...] = ()
        self._held_until: float | None = None
        self._refused: dict[str, int] = {}
        self._told: dict[str, Refusal] = {}
        self._reading: asyncio.Future[Any] | None = None
        self._waits = False
        self.findings: Findings | None = None

    async def run(self) -> None:
        """Answer each request, and each change."""
        self.findings = findings = await self._s.attestation.attest(self._call.peer)
        if not await self._is_begun():
            return
        while True:
            version = self._s.changes.version
            offer = self._offer(findings)
            reply = self._subscription.reply(offer)
            if reply is not None:
                self._record(findings, offer, reply)
                await self._call.send(reply.message)
            self._note_refused(offer, findings)
            self._judge(offer, findings, self._s.hold)
            if not await self._something(version):
                return
            check(self._call.peer, findings.said)

    async def fetch(self, request: DiscoveryRequest) -> DiscoveryResponse:
        """Answer the only request; who is told no asks again, so nobody waits for a right."""
        self.findings = findings = await self._s.attestation.attest(self._call.peer)
        self._begin(request)
        while True:
            version = self._s.changes.version
            offer = self._offer(findings)
            reply = self._subscription.reply(offer)
            self._note_refused(offer, findings)
            if reply is not None:
                self._record(findings, offer, reply)
                response: DiscoveryResponse = reply.message
                response.nonce = ""
                return response
            self._judge(offer, findings, 0.0)
            await self._change(version)
            check(self._call.peer, findings.said)

    def refused(self, refusal: Refusal) -> Refusal:
        """Record that the caller is told no, and return what it is told."""
        return self._s.records.refused(self._call, refusal, self.findings)

    def close(self) -> None:
        """Nobody needs SVIDs for this stream any more."""
        if self._reading is not None and not self._reading.cancel():
            self._reading.exception()  # what a client that is gone said last is no fault
        self._wait(waits=False)
        self._s.subscriptions.remove(self._entry_ids)

    def _hear(self, request: Any) -> None:
        rejection = self._subscription.hear(request)
        if rejection is not None:
            self._s.rejections.record(self._call, rejection)

    async def _is_begun(self) -> bool:
        """Hear the first request, which an Envoy fills with all that it is; it is not kept."""
        first = await anext(self._call, None)
        if first is not None:
            self._begin(first)
        return first is not None

    def _begin(self, request: Any) -> None:
        names = self._s.secrets.names
        self._form = form_of(request.node, names.disable_spiffe_cert_validation)
        self._hear(request)

    def _offer(self, findings: Findings) -> Offer:
        """Look up what there is, and see that what is asked for is kept signed."""
        offer = self._s.secrets.offer(findings.selectors, self._form, self._subscription.interest)
        if offer.entry_ids != self._entry_ids:
            self._s.subscriptions.add(offer.entry_ids, self._s.clock.now())
            self._s.subscriptions.remove(self._entry_ids)
            self._entry_ids = offer.entry_ids
            if offer.pending:
                self._s.subscriptions.want()
        return offer

    def _record(self, findings: Findings, offer: Offer, reply: Reply) -> None:
        """Record whose certificates are sent, and with which identities the caller is known."""
        if reply.names:
            sent = (offer.secrets[name].spiffe_id for name in reply.names)
            ids = tuple(dict.fromkeys(each for each in sent if each is not None))
            self._s.records.served(self._call, findings, ids, offer.spiffe_ids)

    def _note_refused(self, offer: Offer, findings: Findings) -> None:
        """Record each name that the caller is not given, once, and a few at a time.

        Of the others it is only remembered that they were looked at: streams are many.
        """
        refused = _refused(offer)
        known, self._refused = self._refused, {name: _look(each) for name, each in refused.items()}
        told = {name: self._told[name] for name in self._told if name in refused}
        new = [name for name, seen in self._refused.items() if known.get(name) != seen]
        for name in new[:MOST_RECORDED]:
            told[name] = self.refused(refusal_of(refused[name], findings))
        self._told = dict(sorted(told.items())[:MOST_RECORDED])

    def _judge(self, offer: Offer, findings: Findings, hold: float) -> None:
        """Decide whether the stream goes on, for how long, and what it ends with."""
        if offer.secrets or not offer.missing:
            self._held_until = None
            self._wait(waits=False)
            return
        now = self._s.clock.monotonic()
        comes = [each for each in offer.missing.values() if each.kind is Kind.UNAVAILABLE]
        refused = _refused(offer)
        self._wait(waits=bool(comes))
        if self._held_until is None:
            self._held_until = now + (self._s.hold if comes else hold)
        if now >= self._held_until or (not comes and self._is_hopeless(refused, findings)):
            raise self._reason(refused, findings) if refused else _coming(comes[0])

    def _is_hopeless(self, refused: Mapping[str, Missing], findings: Findings) -> bool:
        return all(refusal_of(each, findings).kind in HOPELESS for each in refused.values())

    def _reason(self, refused: Mapping[str, Missing], findings: Findings) -> Exception:
        """What the caller is told at the end: what was recorded, if it was."""
        for told in self._told.values():
            return _Recorded(told)
        return refusal_of(next(iter(refused.values())), findings)

    def _wait(self, *, waits: bool) -> None:
        if waits and not self._waits:
            self._s.records.waits(self._call)
        elif self._waits and not waits:
            self._s.records.waits_no_more(self._call)
        self._waits = waits

    async def _something(self, version: int) -> bool:
        """Wait for a request, a change or the end of patience; False when the client has gone."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(anext(self._call, None))
        await self._change(version, self._reading)
        if not self._reading.done():
            return True
        request, self._reading = self._reading.result(), None
        if request is not None:
            self._hear(request)
        return request is not None

    async def _change(self, version: int, *others: "asyncio.Future[Any]") -> None:
        """Wait for a change, the end of patience, or something else."""
        waiters = [asyncio.ensure_future(self._s.changes.after(version))]
        if self._held_until is not None:
            left = self._held_until - self._s.clock.monotonic()
            waiters.append(asyncio.ensure_future(self._s.clock.sleep(left)))
        try:
            await asyncio.wait({*waiters, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiters:
                each.cancel()
