"""What nobody should ask to be signed or validated, asked of whoever signs and validates."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import server_id
from finial.wire.grpc.client import Channel, TcpAddress
from finial.wire.grpc.method import method
from finial.wire.join_string import split_address
from finial.wire.pb import agent_pb2, svid_pb2, types_pb2, workload_pb2
from finial.wire.tls import client_context, server_is
from tests.doubles.ports import unharmed
from tests.doubles.programs import Up, up
from tests.doubles.workload import SECURITY, fetch_jwt, refusal_of

pytestmark = pytest.mark.slow
OK, INVALID = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT
ID = "spiffe://example.org/minted"
REFUSED = (Kind.INVALID, Kind.EXHAUSTED)
_ATTEST = method(agent_pb2.DESCRIPTOR.services_by_name["Agent"], "AttestAgent")


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    with up("--no-rate-limits") as running:
        running.register("/bystander", f"unix:uid:{os.getuid()}")
        running.register("/w", f"unix:uid:{os.getuid()}")
        yield running


@pytest.fixture(autouse=True)
def about(world: Up) -> Iterator[None]:
    with unharmed(world, megabytes=30):
        yield


def csr(
    *uris: str,
    key: Any = None,
    more: Callable[[x509.CertificateSigningRequestBuilder], Any] = lambda builder: builder,
) -> bytes:
    """A signing request; of what kind is up to the test."""
    names = [x509.UniformResourceIdentifier(each) for each in uris]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whoever")])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    key = key or ec.generate_private_key(ec.SECP256R1())
    signed: x509.CertificateSigningRequest = more(builder).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def broken() -> dict[str, bytes]:
    """Signing requests that nobody signs."""
    good = csr(ID)
    other = csr(ID)
    return {
        "empty": b"",
        "not DER": b"-----BEGIN CERTIFICATE REQUEST-----",
        "random": os.urandom(1000),
        "cut short": good[:-5],
        "with a tail": good + b"\0",
        "another's signature": good[:-70] + other[-70:],
        "a bit flipped": good[:-1] + bytes([good[-1] ^ 1]),
        "RSA 1024": csr(ID, key=rsa.generate_private_key(65537, 1024)),
        "P-224": csr(ID, key=ec.generate_private_key(ec.SECP224R1())),
        "secp256k1": csr(ID, key=ec.generate_private_key(ec.SECP256K1())),
        "a megabyte": csr(*(f"{ID}/{'x' * 200}/{number}" for number in range(5000))),
        "depth": b"\x30\x80" * 100_000,
    }


def strange() -> dict[str, bytes]:
    """Signing requests of good form for names that nobody gets by asking."""
    return {
        "no ID": csr(),
        "two IDs": csr(ID, f"{ID}/2"),
        "another trust domain": csr("spiffe://other.org/minted"),
        "no SPIFFE ID": csr("https://example.org/minted"),
        "the server": csr(str(server_id(_domain()))),
        "an agent": csr("spiffe://example.org/spire/agent/x"),
        "a path that is none": csr("spiffe://example.org/a/../b"),
        "the trust domain": csr("spiffe://example.org"),
    }


def _domain() -> Any:
    from finial.spiffe.identity import TrustDomain

    return TrustDomain("example.org")


def mint(world: Up, request: bytes) -> tuple[grpc.StatusCode, str]:
    """Mint on the server's socket, as a local administrator."""
    with grpc.insecure_channel(f"unix:{world['server_socket']}") as channel:
        ask: Any = channel.unary_unary(
            "/spire.api.server.svid.v1.SVID/MintX509SVID",
            request_serializer=svid_pb2.MintX509SVIDRequest.SerializeToString,
            response_deserializer=svid_pb2.MintX509SVIDResponse.FromString,
        )
        return refusal_of(lambda: ask(svid_pb2.MintX509SVIDRequest(csr=request), timeout=30))


def test_signing_requests_that_are_broken(world: Up) -> None:
    """What is no request, is not signed by its key or has a weak one, is not signed by us."""
    for name, request in broken().items():
        code, said = mint(world, request)
        assert (code, len(said) > 10) == (INVALID, True), (name, code, said)
        assert "internal" not in said
    assert mint(world, csr(ID)) == (OK, "")


def test_signing_requests_for_names_of_others(world: Up) -> None:
    """An administrator mints for one workload of our trust domain, and for nothing else."""
    for name, request in strange().items():
        code, said = mint(world, request)
        assert (code, len(said) > 10) == (INVALID, True), (name, code, said)


def test_extensions_that_were_asked_for_are_not_given(world: Up) -> None:
    """A request to be a CA, to sign or to be anybody's mail address changes nothing, or is refused."""
    usage = x509.KeyUsage(
        **dict.fromkeys(
            (
                "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
            ),
            True,
        )
    )  # fmt: skip
    extensions: tuple[Any, ...] = (
        x509.BasicConstraints(ca=True, path_length=9),
        usage,
        x509.NameConstraints([x509.DNSName("example.org")], None),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\0" * 10_000),
    )
    for extension in extensions:
        request = csr(ID, more=lambda builder, e=extension: builder.add_extension(e, critical=True))
        answer = rest_mint(world, request)
        if answer.status_code == 400:
            continue
        assert answer.status_code == 201, answer.text
        leaf = x509.load_pem_x509_certificates(answer.json()["x509_svid"].encode())[0]
        basic = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert not basic.ca
        given = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        assert not given.key_cert_sign
        assert not given.crl_sign
        oids = {each.oid.dotted_string for each in leaf.extensions}
        assert not oids & {"1.2.3.4", "2.5.29.30"}


def rest_mint(world: Up, request: bytes) -> Any:
    from tests.doubles.ports import rest

    pem = x509.load_der_x509_csr(request).public_bytes(Encoding.PEM).decode()
    return rest(world, "POST", "/v1/svids/x509", json={"csr": pem})


def test_a_bad_request_does_not_spend_a_token(world: Up) -> None:
    """A node that asks for its SVID in a broken way is refused, and may come again (BN-01)."""
    made = world.finial("token", "create")
    for name, request in broken().items():
        refusal = asyncio.run(attested(world, made["value"], request))
        assert refusal is not None
        assert refusal.kind in REFUSED, (name, refusal)
    for token in ("", "x", "é" * 10, "t" * 100_000):
        refused = asyncio.run(attested(world, token, csr()))
        assert refused is not None
        assert refused.kind in REFUSED, (token[:10], refused)
    unknown = asyncio.run(attested(world, made["value"], csr(), "no such attestor"))
    assert unknown is not None
    assert asyncio.run(attested(world, made["value"], csr())) is None


async def attested(
    world: Up, token: str, request: bytes, kind: str = "join_token"
) -> Refusal | None:
    """Attest as a node; nothing if it succeeded."""
    place = TcpAddress(*split_address(world["grpc_address"]))
    channel = Channel(
        place, tls=lambda: client_context(None, None), judge=server_is(server_id(_domain()))
    )
    params = agent_pb2.AttestAgentRequest.Params(
        data=types_pb2.AttestationData(type=kind, payload=token.encode()),
        params=agent_pb2.AgentX509SVIDParams(csr=request),
    )
    try:
        async with channel.stream(_ATTEST, timeout=20) as stream:
            await stream.send(agent_pb2.AttestAgentRequest(params=params))
            answer = await stream.receive()
            assert answer.result.svid.cert_chain
    except Refusal as refusal:
        return refusal
    finally:
        await channel.close()
    return None


def validate(world: Up, token: str, audience: str = "a") -> tuple[grpc.StatusCode, str]:
    with grpc.insecure_channel(f"unix:{world['workload_socket']}") as channel:
        ask: Any = channel.unary_unary(
            "/SpiffeWorkloadAPI/ValidateJWTSVID",
            request_serializer=workload_pb2.ValidateJWTSVIDRequest.SerializeToString,
            response_deserializer=workload_pb2.ValidateJWTSVIDResponse.FromString,
        )
        request = workload_pb2.ValidateJWTSVIDRequest(svid=token, audience=audience)
        return refusal_of(lambda: ask(request, metadata=SECURITY, timeout=30))


def part(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_tokens_that_are_not_valid(world: Up) -> None:
    """JWT-04 to JWT-14: algorithm, key, audience, lifetime, form and size are judged."""
    [(_, good), *_] = fetch_jwt(Path(world["workload_socket"]), "a")
    head, body, signature = good.split(".")
    header, claims = (
        jwt.get_unverified_header(good),
        json.loads(base64.urlsafe_b64decode(body + "==")),
    )
    mine = ec.generate_private_key(ec.SECP256R1())
    without = {name: value for name, value in claims.items() if name != "exp"}
    mac = hmac.new(b"secret", f"{part({**header, 'alg': 'HS256'})}.{body}".encode(), hashlib.sha256)

    def signed(said: Any, **changes: Any) -> str:
        return jwt.encode(said, mine, "ES256", {**header, **changes})

    tokens = {
        "empty": "",
        "dots": "..",
        "none": f"{part({**header, 'alg': 'none'})}.{body}.",
        "nOnE": f"{part({**header, 'alg': 'nOnE'})}.{body}.{signature}",
        "HS256": f"{part({**header, 'alg': 'HS256'})}.{body}."
        f"{base64.urlsafe_b64encode(mac.digest()).decode().rstrip('=')}",
        "another's key": signed(claims),
        "an unknown kid": signed(claims, kid="nobody"),
        "no kid": jwt.encode(claims, mine, "ES256"),
        "no exp": signed(without),
        "expired": signed({**claims, "exp": 1}),
        "another body": f"{head}.{part({**claims, 'sub': ID})}.{signature}",
        "another trust domain": signed({**claims, "sub": "spiffe://other.org/w"}),
        "no SPIFFE ID": signed({**claims, "sub": "root"}),
        "five parts": f"{good}.{body}.{signature}",
        "JWE": f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{body}.{body}.{signature}",
        "long": f"{head}.{'A' * 60_000}.{signature}",
        "many parts": "." * 60_000,
        "deep": f"{head}.{base64.urlsafe_b64encode(b'[' * 45_000).decode()}.{signature}",
        "NUL": f"{good}\0",
        "padded": f"{head}.{body}==.{signature}",
        "a line more": f"{good}\n",
        "cut short": good[:-4],
    }
    for name, token in tokens.items():
        code, said = validate(world, token)
        assert (code, len(said) > 10) == (INVALID, True), (name, code, said)
        assert token[-60:] not in said or len(token) < 60
    assert validate(world, "x" * 1_000_000)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert validate(world, good, "b")[0] is INVALID
    assert validate(world, good, "")[0] is INVALID
    assert validate(world, good) == (OK, "")


def test_what_a_workload_should_not_ask_for(world: Up) -> None:
    """Audiences and SPIFFE IDs that are none are refused, and nobody is lent another's."""
    socket = Path(world["workload_socket"])
    for audience in ("", "x" * 50_000, "a\0b"):
        code, said = refusal_of(lambda audience=audience: fetch_jwt(socket, audience))
        assert code in (INVALID, OK), (audience[:10], code, said)
        assert audience or code is INVALID
    for spiffe_id, expected in (
        ("spiffe://example.org/../w", INVALID),
        ("not an ID", INVALID),
        ("spiffe://example.org/" + "x" * 5000, INVALID),
        ("spiffe://example.org/somebody-else", grpc.StatusCode.PERMISSION_DENIED),
    ):
        assert ask_for(socket, spiffe_id) is expected, spiffe_id


def ask_for(socket: Path, spiffe_id: str) -> grpc.StatusCode:
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        ask: Any = channel.unary_unary(
            "/SpiffeWorkloadAPI/FetchJWTSVID",
            request_serializer=workload_pb2.JWTSVIDRequest.SerializeToString,
            response_deserializer=workload_pb2.JWTSVIDResponse.FromString,
        )
        request = workload_pb2.JWTSVIDRequest(audience=["a"], spiffe_id=spiffe_id)
        return refusal_of(lambda: ask(request, metadata=SECURITY, timeout=30))[0]
