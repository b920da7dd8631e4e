"""OIDC discovery of a real server, over HTTPS, by verifiers that are not ours."""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import jwt as pyjwt
import pytest
from joserfc import jws
from joserfc import jwt as jose
from joserfc.jwk import ECKey, KeySet

from finial.spiffe.bundle_document import parse_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.wire.convert import bundle_message
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import bundle_pb2, workload_pb2
from tests.doubles.envoy import Envoy
from tests.doubles.envoy_parts import FILTERS, ROUTER, TLS, answers, listener, resources
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import ROOT, eventually, finial, short_folder

VERIFY = ROOT / "examples" / "oidc" / "verify.py"
WEB = "spiffe://example.org/web"
AUDIENCE = "https://payments.example.org"

pytestmark = pytest.mark.slow


class Place:
    """A server with discovery for `https://localhost:PORT`, an agent, and us as its workload."""

    def __init__(self, server: ServerProgram, agent: AgentProgram, issuer: str) -> None:
        self.server, self.agent, self.issuer = server, agent, issuer

    @property
    def bundle(self) -> Path:
        return self.server.folder / "bundle.pem"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.bundle))

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.issuer + path, verify=self.tls, timeout=10)

    def token(self, *audience: str) -> str:
        """A JWT-SVID from the Workload API."""
        request = workload_pb2.JWTSVIDRequest(audience=audience or (AUDIENCE,))
        answer = self.workload("FetchJWTSVID", request, workload_pb2.JWTSVIDResponse)
        [svid] = answer.svids
        token: str = svid.svid
        return token

    def mint(self, ttl: int) -> str:
        wish = {"id": WEB, "audience": [AUDIENCE], "ttl": ttl}
        token: str = self.server.rest("POST", "/v1/svids/jwt", json=wish).json()["token"]
        return token

    def workload(self, rpc: str, request: Any, answer: Any) -> Any:
        """Call the Workload API as grpcio does."""
        with grpc.insecure_channel(f"unix:{self.agent.workload_socket}") as channel:
            call = channel.unary_unary(
                f"/SpiffeWorkloadAPI/{rpc}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )
            return call(request, timeout=10, metadata=(("workload.spiffe.io", "true"),))

    def verify(self, token: str, audience: str = AUDIENCE) -> subprocess.CompletedProcess[str]:
        """Ask the example's verifier, a process of its own."""
        command = [sys.executable, str(VERIFY), self.issuer, audience, "--ca", str(self.bundle)]
        return subprocess.run(
            command, input=token, capture_output=True, text=True, timeout=60, check=False
        )


@contextmanager
def place(oidc: dict[str, Any] | None = None, **settings: Any) -> Iterator[Place]:
    with short_folder() as folder, contextlib.ExitStack() as stack:
        port = free_port()
        issuer = f"https://localhost:{port}"
        server = ServerProgram(
            folder / "ca",
            {"jwt_issuer": issuer, **settings},
            oidc={"listen": f"127.0.0.1:{port}", **(oidc or {})},
        )
        stack.enter_context(closing(server))
        server.begin()
        join = folder / "join"
        where = f"unix://{server.admin_socket}"
        made = finial("token", "create", "--server", where, "--output", "json")
        join.write_text(json.loads(made.stdout)["join"])
        agent = AgentProgram(folder / "node", join=join)
        stack.enter_context(closing(agent))
        status = agent.begin()
        server.entry(status.agent_id, "/web")
        made_place = Place(server, agent, issuer)
        eventually(lambda: attempt(made_place), what="the workload has a token")
        yield made_place


def attempt(built: Place) -> str:
    try:
        return built.token()
    except grpc.RpcError:
        return ""


def free_port() -> int:
    # The issuer has to be known before the server listens.
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def with_other_claims(token: str, **changes: Any) -> str:
    head, _, signature = token.split(".")
    decoded = pyjwt.decode(token, options={"verify_signature": False})
    changed = json.dumps({**decoded, **changes}).encode()
    return f"{head}.{pyjwt.utils.base64url_encode(changed).decode()}.{signature}"


def test_verifiers_that_know_no_spiffe_accept_a_workloads_token() -> None:
    """joserfc and PyJWT fetch the keys over HTTPS, with our own certificate, and find the broken.

    The agent in turn accepts what joserfc signed with a key of a federated bundle.
    """
    with place() as built:
        found = built.get("/.well-known/openid-configuration").json()
        assert (found["issuer"], found["jwks_uri"]) == (built.issuer, f"{built.issuer}/keys")
        token = built.token()
        accepted = built.verify(token)
        assert accepted.returncode == 0, accepted.stderr
        claims = json.loads(accepted.stdout)
        assert (claims["iss"], claims["sub"]) == (built.issuer, WEB)

        client = pyjwt.PyJWKClient(found["jwks_uri"], ssl_context=built.tls)
        again = pyjwt.decode(
            token,
            client.get_signing_key_from_jwt(token),
            algorithms=found["id_token_signing_alg_values_supported"],
            audience=AUDIENCE,
            issuer=built.issuer,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
        assert again == claims

        for wrong, audience in (
            (token, "elsewhere"),
            (with_other_claims(token, sub="spiffe://example.org/root"), AUDIENCE),
            (with_other_claims(token, exp=int(time.time()) + 9999), AUDIENCE),
            (token[:-4], AUDIENCE),
            ("junk", AUDIENCE),
        ):
            refused = built.verify(wrong, audience)
            assert refused.returncode == 1, refused.stdout
            assert refused.stderr.startswith("refused: ")
            assert "Traceback" not in refused.stderr
        strangers = ssl.create_default_context()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{built.issuer}/keys", verify=strangers)
        metrics = built.server.rest("GET", "/metrics").text
        assert 'method="oidc /keys"' in metrics

        _federate(built)


def _federate(built: Place) -> None:
    key = ECKey.generate_key("P-384", {"kid": "friend-1"})
    published = {"keys": [{**key.as_dict(private=False), "use": "jwt-svid"}]}
    friend = TrustDomain.parse("friend.test")
    bundle = parse_spiffe_bundle(friend, json.dumps(published).encode())
    asyncio.run(_set_bundle(built.server.folder / "private" / "server.sock", bundle))
    [entry] = built.server.every("/v1/entries")
    changed = built.server.rest(
        "PATCH",
        f"/v1/entries/{entry['id']}",
        json={"federates_with": ["friend.test"]},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert changed.status_code == 200, changed.text
    now = int(time.time())
    claims = {"sub": "spiffe://friend.test/db", "aud": [AUDIENCE], "exp": now + 300}
    header = {"alg": "ES384", "kid": "friend-1"}

    def judged(token: str) -> str:
        request = workload_pb2.ValidateJWTSVIDRequest(audience=AUDIENCE, svid=token)
        try:
            answer = built.workload(
                "ValidateJWTSVID", request, workload_pb2.ValidateJWTSVIDResponse
            )
        except grpc.RpcError as refusal:
            return str(refusal.code().name)
        spiffe_id: str = answer.spiffe_id
        return spiffe_id

    good = jose.encode(header, claims, key, algorithms=["ES384"])
    eventually(lambda: judged(good) == "spiffe://friend.test/db", what="the bundle arrived")
    other = ECKey.generate_key("P-384")
    for token in (
        jose.encode(header, claims, other, algorithms=["ES384"]),
        jose.encode({**header, "kid": "friend-2"}, claims, key, algorithms=["ES384"]),
        jose.encode(header, {**claims, "sub": WEB}, key, algorithms=["ES384"]),
        jose.encode(header, {**claims, "exp": now - 120}, key, algorithms=["ES384"]),
        jose.encode(header, {**claims, "aud": ["elsewhere"]}, key, algorithms=["ES384"]),
        with_other_claims(good, sub="spiffe://friend.test/root"),
    ):
        assert judged(token) == "INVALID_ARGUMENT"


async def _set_bundle(path: Path, bundle: Any) -> None:
    found = method(bundle_pb2.DESCRIPTOR.services_by_name["Bundle"], "BatchSetFederatedBundle")
    channel = Channel(UnixAddress(path))
    try:
        request = bundle_pb2.BatchSetFederatedBundleRequest(bundle=[bundle_message(bundle)])
        answer = await channel.unary(found, request, timeout=10)
        assert [each.status.code for each in answer.results] == [0]
    finally:
        await channel.close()


def test_a_verifier_that_keeps_keys_as_long_as_it_may_never_misses_one() -> None:
    """While the JWT keys rotate, each token verifies by keys that were fetched before it was made.

    The verifier obeys Cache-Control and looks for no unknown key. Its TLS trusts the bundle as it
    was a moment ago, and the endpoint's own certificate rotates beside.
    """
    with place(ca_ttl="24s", default_x509_svid_ttl="8s") as built:
        signers: set[str] = set()
        keys, until = KeySet([]), 0.0
        deadline = time.monotonic() + 90
        checked = 0
        while len(signers) < 2:
            assert time.monotonic() < deadline, signers
            if time.monotonic() >= until:
                fetched, answer = time.monotonic(), built.get("/keys")
                keys = KeySet.import_key_set(answer.json())
                until = fetched + int(answer.headers["cache-control"].rpartition("=")[2])
            token = built.mint(ttl=5)
            if time.monotonic() >= until:
                continue  # a busy machine: it may have been made when the keys were too old
            assert jose.decode(token, keys, algorithms=["ES256"]).claims["sub"] == WEB
            signers.add(str(jws.extract_compact(token.encode()).headers()["kid"]))
            checked += 1
            time.sleep(0.1)
        assert checked > 20


def test_the_doctor_tells_of_an_issuer_that_tokens_do_not_say() -> None:
    """It serves and warns, in the log and when asked; `--check` finds what cannot work."""
    with short_folder() as folder:
        port = free_port()
        server = ServerProgram(
            folder / "ca",
            {"jwt_issuer": "https://other.example.org"},
            oidc={"listen": f"127.0.0.1:{port}", "issuer": f"https://localhost:{port}"},
        )
        with closing(server):
            server.begin()
            assert "who compare every letter" in server.said
            done = finial("doctor", "--ca-config", str(server.config), "--output", "json")
            [found] = [
                each
                for each in json.loads(done.stdout)["checks"]
                if each["check"] == "oidc discovery"
            ]
            assert found["health"] == "warning"
            assert "https://other.example.org" in found["detail"]
        broken = folder / "broken.toml"
        broken.write_text(server.config.read_text().replace(f':{port}"', ':port"'))
        checked = finial("ca", "run", "--config", str(broken), "--check")
        assert checked.returncode != 0
        assert "oidc.listen" in checked.stderr


def test_an_envoy_checks_tokens_by_the_keys_that_it_fetches() -> None:
    """jwt_authn: Envoy fetches /keys over TLS by itself, lets good tokens in and no others."""
    with place() as built:
        envoy = Envoy(built.server.folder.parent, "envoy", _envoy_resources(built))
        try:
            envoy.begin()
            url = f"http://127.0.0.1:{envoy.port('in')}/"

            def status(token: str | None) -> int:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                return httpx.get(url, headers=headers, timeout=10).status_code

            token = built.token()
            eventually(lambda: status(token) == 200, what="Envoy has the keys")
            assert status(None) == 401
            assert status(with_other_claims(token, sub="spiffe://example.org/root")) == 401
            assert status(built.token("elsewhere")) == 403
            assert status(token[:-4]) == 401
        finally:
            envoy.stop()


def _envoy_resources(built: Place) -> Any:
    name, _, port = built.issuer.removeprefix("https://").partition(":")
    endpoint = {
        "endpoint": {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": int(port)}}
        }
    }
    trust = {
        "trusted_ca": {"filename": str(built.bundle)},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}}],
    }
    tls = {
        "@type": f"{TLS}.UpstreamTlsContext",
        "sni": name,
        "common_tls_context": {
            "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
            "validation_context": trust,
        },
    }
    keys = {
        "name": "oidc",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "oidc", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
    }
    provider = {
        "issuer": built.issuer,
        "audiences": [AUDIENCE],
        "remote_jwks": {
            "http_uri": {"uri": f"{built.issuer}/keys", "cluster": "oidc", "timeout": "5s"},
            "cache_duration": "30s",
        },
    }
    authn = {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": f"{FILTERS}.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"finial": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "finial"}}],
        },
    }
    door = listener("in", [answers()], http_filters=[authn, ROUTER])
    return resources([door], [keys])
