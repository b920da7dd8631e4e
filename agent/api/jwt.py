"""The unary RPCs of the Workload API: FetchJWTSVID and ValidateJWTSVID."""

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.api.answers import Answers
from agent.api.call_records import CallRecords
from agent.api.eager import eagerly
from agent.api.streams import NOT_SYNCED
from agent.cache.jwt_svids import TokenKey
from agent.cache.view import Holdings, Identity
from agent.operations.attest_caller import CallerAttestation, Findings, Unserved
from agent.operations.fetch_jwt_svid import FetchJwtSvid
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.jwt_svid import JwtSvid, verify_jwt
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.pb import workload_pb2

MAX_AUDIENCES: Final = 32
MAX_AUDIENCE_BYTES: Final = 2048
_SPIFFE_CLAIMS: Final = frozenset({"sub", "aud", "exp"})


@dataclass(frozen=True, slots=True)
class JwtProfile:
    """The JWT-SVID profile of the Workload API."""

    answers: Answers
    attestation: CallerAttestation
    fetching: FetchJwtSvid
    holdings: Watch[Holdings]
    records: CallRecords
    clock: Clock
    foreign_claims: frozenset[str]

    def fetch(
        self, call: Call[KernelPeer], request: workload_pb2.JWTSVIDRequest
    ) -> bytes | Awaitable[bytes]:
        """Answer FetchJWTSVID; in place, where the token is kept and nothing has to be awaited.

        Spec: Workload API section 6.2.1 (WAPI-15, WAPI-32 to WAPI-36).
        """
        return eagerly(self._recorded(call, self._fetch(call, request)))

    def validate(
        self, call: Call[KernelPeer], request: workload_pb2.ValidateJWTSVIDRequest
    ) -> bytes | Awaitable[bytes]:
        """Answer ValidateJWTSVID, for any caller that can be attested.

        Spec: Workload API section 6.2.3 (WAPI-15, WAPI-41 to WAPI-43, WAPI-45).
        """
        return eagerly(self._recorded(call, self._validate(call, request)))

    async def _recorded(
        self, call: Call[KernelPeer], answering: Coroutine[Any, Any, bytes]
    ) -> bytes:
        try:
            return await answering
        except Refusal as refusal:
            findings = call.caller if isinstance(call.caller, Findings) else None
            raise self.records.refused(call, refusal, findings) from refusal

    async def _fetch(self, call: Call[KernelPeer], request: workload_pb2.JWTSVIDRequest) -> bytes:
        audience = judge_audience(request.audience)
        wanted = SpiffeId.parse(request.spiffe_id) if request.spiffe_id else None
        if not self.answers.is_synced:
            raise Refusal(Kind.UNAVAILABLE, NOT_SYNCED)
        findings = call.caller = await self.attestation.attest(call.peer)
        seen = self.answers.view(findings.selectors)
        view = seen if wanted is None else seen.only(wanted)
        tokens = [(each, await self._token(each, audience)) for each in view.identities]
        if (now := self.answers.view(findings.selectors)) is not seen:
            # While the server signed, what this caller may have became something else.
            granted = {each.entitlement.id for each in now.identities}
            tokens = [(each, token) for each, token in tokens if each.entitlement.id in granted]
        if not tokens:
            withheld = (now if wanted is None else now.only(wanted)).withheld
            asked_for = request.spiffe_id if seen.identities else ""
            raise findings.no_identity(asked_for, withheld)
        response = workload_pb2.JWTSVIDResponse()
        for identity, token in tokens:
            response.svids.add(spiffe_id=str(identity.spiffe_id), svid=token, hint=identity.hint)
        self.records.served(call, findings, tuple(each.spiffe_id for each, _ in tokens))
        return response.SerializeToString()

    async def _token(self, identity: Identity, audience: Sequence[str]) -> str:
        key = TokenKey.of(identity.spiffe_id, audience)
        return await self.fetching.fetch(identity.entitlement, key)

    async def _validate(
        self, call: Call[KernelPeer], request: workload_pb2.ValidateJWTSVIDRequest
    ) -> bytes:
        if not request.audience:
            raise _invalid("audience", "the audience is missing")
        if not request.svid:
            raise _invalid("svid", "the token is missing")
        findings = call.caller = await self.attestation.attest(call.peer)
        bundles = self._bundles(self.answers.view(findings.selectors).federated)
        svid = verify_jwt(request.svid, request.audience, bundles, self.clock.now())
        self._judge_blocked(svid, findings)
        response = workload_pb2.ValidateJWTSVIDResponse(spiffe_id=str(svid.id))
        response.claims.update(self._claims(svid))
        return response.SerializeToString()

    def _judge_blocked(self, svid: JwtSvid, findings: Findings) -> None:
        """Refuse a token that is as good as any, but for its subject or itself being blocked.

        An agent that is blocked itself hears of no other block, and so judges no token.
        """
        if self.holdings.value.lockout is not None:
            raise Unserved(Kind.UNAVAILABLE, "this agent is blocked, and judges no token")
        blocks, now = self.holdings.value.blocks, self.clock.now()
        block = blocks.of_id(svid.id, now) or blocks.of_jti(str(svid.claims.get("jti", "")), now)
        if block is not None:
            raise Unserved(
                Kind.INVALID,
                "the token is not accepted: it, or its subject, is blocked",
                findings.said,
                block=block.id,
            )

    def _bundles(self, federated: Sequence[Bundle]) -> Mapping[TrustDomain, Bundle]:
        own = self.holdings.value.own_bundle
        if own is None:
            raise Refusal(Kind.UNAVAILABLE, "the agent has no bundle yet")
        return {each.trust_domain: each for each in (own, *federated)}

    def _claims(self, svid: JwtSvid) -> dict[str, Any]:
        claims = dict(svid.claims)
        if svid.id.trust_domain != self.holdings.value.trust_domain:
            kept = _SPIFFE_CLAIMS | self.foreign_claims
            claims = {name: value for name, value in claims.items() if name in kept}
        return {**claims, "aud": list(svid.audience)}


def judge_audience(audience: Sequence[str]) -> tuple[str, ...]:
    """Accept 1 to 32 audiences, none of them empty or over 2048 bytes.

    Raises: Refusal of kind INVALID.
    """
    if not audience:
        raise _invalid("audience", "at least one audience is needed")
    if len(audience) > MAX_AUDIENCES:
        raise _invalid("audience", f"there are more than {MAX_AUDIENCES} audiences")
    for each in audience:
        if not each:
            raise _invalid("audience", "an audience is empty")
        if len(each.encode()) > MAX_AUDIENCE_BYTES:
            raise _invalid("audience", f"an audience has more than {MAX_AUDIENCE_BYTES} bytes")
    return tuple(audience)


def _invalid(field: str, fault: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field=field)
