"""A server as an agent sees it, which does what a test tells it to: answer, deny, push, go away."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt as pyjwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from finial.runtime.clock import Clock
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.bundle_document import render_spiffe_bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.convert import bundle_message, spiffe_id_message
from finial.wire.grpc.call import Call
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import Service, service
from finial.wire.join_proof import bundle_proof, proof_key, token_id
from finial.wire.pb import agent_pb2, bundle_pb2, entry_pb2, follow_pb2, svid_pb2, types_pb2
from finial.wire.tls import TlsIdentity, peer_id, server_context
from tests.doubles.ca import Signed, SmallCa

DOMAIN = TrustDomain("example.org")


class PublicOnly:
    """Stands for a key whose private half is somebody else's."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def public_key(self) -> Any:
        return self._key


@dataclass
class ScriptedServer:
    """What it answers is in its attributes; what it was asked is in `asked`.

    `deny` refuses every call of an agent; `refuse_signing` fails batches of SVIDs.
    """

    clock: Clock
    ca: SmallCa
    page: int = 500
    has_stream: bool = True
    reattestable: bool = True
    agent_path: str = "/spire/agent/x509pop/node"
    agent_ttl: float = 3600.0
    svid_ttl: float = 3600.0
    jwt_ttl: float = 300.0
    tokens: set[str] = field(default_factory=set)
    deny: Refusal | None = None
    refuse_attestation: Refusal | None = None
    refuse_signing: list[Refusal] = field(default_factory=list)
    refuse_entries: dict[str, Refusal] = field(default_factory=dict)
    refuse_jwt: Refusal | None = None
    hold_signing: asyncio.Event | None = None
    hold_jwt: asyncio.Event | None = None
    entries: dict[str, types_pb2.Entry] = field(default_factory=dict)
    federated: dict[str, Bundle] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    evidence: list[tuple[str, bytes]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    presented: list[int] = field(default_factory=list)
    hellos: list[follow_pb2.Hello] = field(default_factory=list)
    ups: list[follow_pb2.Up] = field(default_factory=list)
    sequence: int = 1
    port: int = 0

    def __post_init__(self) -> None:
        self.jwt_key = ec.generate_private_key(ec.SECP256R1())
        self.roots: tuple[X509Authority, ...] = (X509Authority(self.ca.der),)
        self.identity = self._identity()
        self._version = 0
        self._streams: set[asyncio.Queue[follow_pb2.Down | Refusal]] = set()
        self._server: Server[Any] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def bundle(self) -> Bundle:
        spki = self.jwt_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Bundle(DOMAIN, self.roots, (JwtAuthority("k", spki),), self.sequence)

    @property
    def followers(self) -> int:
        """How many agents have their stream of changes open."""
        return len(self._streams)

    async def start(self) -> None:
        self._server = Server(
            self._services(),
            identify=lambda transport: transport,
            guard=self._guard,
            clock=self.clock,
        )
        tls = server_context(lambda: self.identity, lambda: (self.bundle,))
        _, self.port = await self._server.listen_tcp("127.0.0.1", self.port, tls)

    async def stop(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            await server.close(0)

    def rotate_ca(self, ca: SmallCa) -> None:
        """Go over to another authority; the former stays in the bundle until it is taken out."""
        self.ca = ca
        self.roots = (*self.roots, X509Authority(ca.der))
        self.identity = self._identity()
        self.sequence += 1

    def entry(self, id_: str, path: str, *selectors: str, **changes: Any) -> None:
        """Register an entry, or replace it with the next revision."""
        known = self.entries.get(id_)
        self.entries[id_] = types_pb2.Entry(
            id=id_,
            spiffe_id=types_pb2.SPIFFEID(trust_domain="example.org", path=path),
            selectors=[
                types_pb2.Selector(type=each.partition(":")[0], value=each.partition(":")[2])
                for each in selectors
            ],
            **{
                "revision_number": known.revision_number + 1 if known else 0,
                "created_at": len(self.entries) + 1,
                **changes,
            },
        )

    def tell_entries(self) -> None:
        """Push that entries changed."""
        self._version += 1
        self.tell("entries", self._version)

    def tell_bundle(self) -> None:
        """Push the bundle."""
        self.tell("bundle", self.sequence, render_spiffe_bundle(self.bundle))

    def tell(self, topic: str, version: int, document: bytes = b"") -> None:
        changed = follow_pb2.Changed(topic=topic, version=version, document=document)
        for stream in self._streams:
            stream.put_nowait(follow_pb2.Down(changed=changed))

    def beat(self, sent_at_ms: int) -> None:
        heartbeat = follow_pb2.Heartbeat(sent_at_ms=sent_at_ms)
        for stream in self._streams:
            stream.put_nowait(follow_pb2.Down(heartbeat=heartbeat))

    def ask(self, kind: str, payload: bytes = b"", id_: str = "q1", deadline_ms: int = 0) -> None:
        question = follow_pb2.Question(id=id_, kind=kind, payload=payload, deadline_ms=deadline_ms)
        for stream in self._streams:
            stream.put_nowait(follow_pb2.Down(question=question))

    def end_streams(self, refusal: Refusal) -> None:
        for stream in self._streams:
            stream.put_nowait(refusal)

    def _identity(self) -> TlsIdentity:
        signed = self.ca.workload("/spire/server")
        return TlsIdentity(signed.chain, signed.key_pkcs8)

    def _guard(self, call: Call[Any]) -> None:
        name = call.method.rpartition("/")[2]
        self.asked.append(name)
        session = call.peer.get_extra_info("ssl_object")
        caller = peer_id(session)
        if name in ("AttestAgent", "GetProvenBundle") or (caller is None and name == "GetBundle"):
            return
        if caller is None:
            raise Refusal(Kind.DENIED, f"authorization denied for method {call.method}")
        self.presented.append(
            x509.load_der_x509_certificate(session.getpeercert(True)).serial_number
        )
        if self.deny is not None:
            raise self.deny

    def _services(self) -> Iterable[Service]:
        def named(module: Any, name: str, handlers: Any) -> Service:
            return service(module.DESCRIPTOR.services_by_name[name], handlers)

        yield named(
            agent_pb2,
            "Agent",
            {
                "AttestAgent": self._attest,
                "RenewAgent": self._renew,
                "PostStatus": lambda *_: agent_pb2.PostStatusResponse(),
            },
        )
        yield named(entry_pb2, "Entry", {"SyncAuthorizedEntries": self._sync})
        yield named(
            svid_pb2, "SVID", {"BatchNewX509SVID": self._batch, "NewJWTSVID": self._new_jwt}
        )
        yield named(
            bundle_pb2,
            "Bundle",
            {
                "GetBundle": lambda *_: bundle_message(self.bundle),
                "GetFederatedBundle": self._federated,
            },
        )
        yield named(follow_pb2, "Bootstrap", {"GetProvenBundle": self._prove})
        if self.has_stream:
            yield named(follow_pb2, "Follow", {"Follow": self._follow})

    async def _attest(self, call: Call[Any]) -> None:
        first = await anext(aiter(call))
        self.evidence.append((first.params.data.type, first.params.data.payload))
        if self.refuse_attestation is not None:
            raise self.refuse_attestation
        signed = self._sign_agent(first.params.params.csr)
        await call.send(
            agent_pb2.AttestAgentResponse(
                result=agent_pb2.AttestAgentResponse.Result(
                    svid=self._svid(signed, self.agent_path), reattestable=self.reattestable
                )
            )
        )

    def _renew(self, _: Any, request: agent_pb2.RenewAgentRequest) -> Any:
        signed = self._sign_agent(request.params.csr)
        return agent_pb2.RenewAgentResponse(svid=self._svid(signed, self.agent_path))

    def _sign_agent(self, csr: bytes) -> Signed:
        return self._sign(csr, self.agent_path, self.agent_ttl)

    def _sign(self, csr: bytes, path: str, ttl: float) -> Signed:
        key: Any = PublicOnly(x509.load_der_x509_csr(csr).public_key())
        # OpenSSL looks at the machine's own clock, so nothing may begin in its future.
        not_before = min(self.clock.now(), self.ca.now) - 10
        return self.ca.workload(
            path, key=key, not_before=not_before, not_after=self.clock.now() + ttl
        )

    def _svid(self, signed: Signed, path: str) -> types_pb2.X509SVID:
        return types_pb2.X509SVID(
            cert_chain=signed.chain, id=spiffe_id_message(SpiffeId(DOMAIN, path))
        )

    async def _sync(self, call: Call[Any]) -> None:
        requests = aiter(call)
        await anext(requests)
        listed = sorted(self.entries)
        if len(listed) <= self.page:
            await call.send(entry_pb2.SyncAuthorizedEntriesResponse(entries=self.entries.values()))
            return
        for start in range(0, len(listed), self.page):
            answer = entry_pb2.SyncAuthorizedEntriesResponse(more=start + self.page < len(listed))
            for each in listed[start : start + self.page]:
                known = self.entries[each]
                answer.entry_revisions.add(
                    id=each, revision_number=known.revision_number, created_at=known.created_at
                )
            await call.send(answer)
        async for request in requests:
            self.asked.append(f"entries {len(request.ids)}")
            found = [self.entries[each] for each in request.ids if each in self.entries]
            await call.send(entry_pb2.SyncAuthorizedEntriesResponse(entries=found))

    async def _batch(self, _: Any, request: svid_pb2.BatchNewX509SVIDRequest) -> Any:
        self.batches.append(len(request.params))
        if self.hold_signing is not None:
            await self.hold_signing.wait()
        if self.refuse_signing:
            raise self.refuse_signing.pop(0)
        answer = svid_pb2.BatchNewX509SVIDResponse()
        for each in request.params:
            refused = self.refuse_entries.get(each.entry_id)
            if refused is not None or each.entry_id not in self.entries:
                answer.results.add(status=types_pb2.Status(code=5, message="entry not found"))
                continue
            path = self.entries[each.entry_id].spiffe_id.path
            signed = self._sign(each.csr, path, self.svid_ttl)
            answer.results.add(status=types_pb2.Status(), svid=self._svid(signed, path))
        return answer

    async def _new_jwt(self, _: Any, request: svid_pb2.NewJWTSVIDRequest) -> Any:
        if self.hold_jwt is not None:
            await self.hold_jwt.wait()
        if self.refuse_jwt is not None:
            raise self.refuse_jwt
        now = int(self.clock.now())
        path = self.entries[request.entry_id].spiffe_id.path
        return svid_pb2.NewJWTSVIDResponse(
            svid=types_pb2.JWTSVID(token=self.token(path, list(request.audience), now))
        )

    def token(self, path: str, audience: Sequence[str], now: int, **claims: Any) -> str:
        payload = {
            "sub": f"spiffe://example.org{path}",
            "aud": list(audience),
            "iat": now,
            "exp": now + int(self.jwt_ttl),
            "jti": str(len(self.asked)),
            **claims,
        }
        return pyjwt.encode(payload, self.jwt_key, "ES256", {"kid": "k"})

    def _federated(self, _: Any, request: bundle_pb2.GetFederatedBundleRequest) -> Any:
        found = self.federated.get(request.trust_domain)
        if found is None:
            raise Refusal(Kind.NOT_FOUND, "bundle not found")
        return bundle_message(found)

    def _prove(self, _: Any, request: follow_pb2.GetProvenBundleRequest) -> Any:
        document = render_spiffe_bundle(self.bundle)
        for token in self.tokens:
            if token_id(token) == request.token_id:
                proof = bundle_proof(proof_key(token), request.nonce, document)
                return follow_pb2.GetProvenBundleResponse(document=document, proof=proof)
        return follow_pb2.GetProvenBundleResponse(document=document, proof=bytes(32))

    async def _follow(self, call: Call[Any]) -> None:
        first = await anext(aiter(call))
        self.hellos.append(first.hello)
        queue: asyncio.Queue[follow_pb2.Down | Refusal] = asyncio.Queue()
        self._streams.add(queue)
        listening = asyncio.ensure_future(self._listen(call))
        try:
            while True:
                down = await queue.get()
                if isinstance(down, Refusal):
                    raise down
                await call.send(down)
        finally:
            listening.cancel()
            self._streams.discard(queue)

    async def _listen(self, call: Call[Any]) -> None:
        async for up in call:
            self.ups.append(up)
