"""How attestors speak with Kubernetes: verified, bounded, with credentials as they are now."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attestors.kubernetes import kubeconfig
from attestors.kubernetes.endpoint import Answer, Endpoint
from attestors.kubernetes.materials import RELOAD, Access, Materials
from attestors.node.k8s_psat.cluster_api import HttpsClusterApi
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.clock import StandingClock
from tests.doubles.kubernetes import KubernetesDouble, Recorded, kubernetes, recorded
from tests.doubles.tls_endpoint import small_ca


@pytest.fixture(scope="module")
def ca() -> SmallCa:
    return small_ca()


@pytest.fixture
def server(tmp_path: Path, ca: SmallCa) -> Iterator[KubernetesDouble]:
    with kubernetes(tmp_path, ca) as double:
        yield double


def access(server: KubernetesDouble, **changes: Any) -> Access:
    return replace(Access(server.url, ca_path=server.ca_path, token=server.bearer), **changes)


def asked(given: Access, path: str = "/pods", **bounds: Any) -> Answer:
    async def whole() -> Answer:
        endpoint = Endpoint("the kubelet", given, StandingClock())
        wanted = {"seconds": 10.0, "max_bytes": 1_000_000, **bounds}
        return await endpoint.request("GET", path, **wanted)

    return asyncio.run(whole())


def refused(given: Access, **bounds: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asked(given, **bounds)
    return caught.value


def test_an_answer_is_its_status_and_its_body(server: KubernetesDouble) -> None:
    """What was recorded arrives as it was."""
    answer = asked(access(server))
    assert answer.status == 200
    assert json.loads(answer.body) == recorded("pods").document


def test_the_server_is_verified(server: KubernetesDouble, tmp_path: Path) -> None:
    """A certificate of another authority, or for another name, is nobody's we know."""
    (tmp_path / "other.pem").write_bytes(small_ca().pem)
    stranger = refused(access(server, ca_path=str(tmp_path / "other.pem")))
    assert stranger.kind is Kind.UNAVAILABLE
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.detail
    localhost = server.url.replace("127.0.0.1", "localhost")
    assert "CERTIFICATE_VERIFY_FAILED" in refused(access(server, url=localhost)).detail
    assert not server.asked
    assert asked(access(server, url=localhost, server_name="127.0.0.1")).status == 200
    assert "CERTIFICATE_VERIFY_FAILED" in refused(access(server, server_name="node1")).detail
    assert asked(access(server, ca_path="", insecure=True)).status == 200


def test_a_ca_may_be_given_as_text(server: KubernetesDouble, ca: SmallCa) -> None:
    """As a kubeconfig has it."""
    assert asked(access(server, ca_path="", ca_pem=ca.pem.decode())).status == 200


def test_an_answer_has_an_end(server: KubernetesDouble) -> None:
    """More bytes than were allowed are not read."""
    assert "more than 1000 bytes" in refused(access(server), max_bytes=1_000).detail


def test_an_answer_comes_in_time_or_not_at_all(server: KubernetesDouble) -> None:
    """A server that keeps us waiting costs the time that was allowed, no more."""
    answered = threading.Event()
    server.before = lambda: answered.wait(10) and None
    try:
        assert "does not answer within 0.2 s" in refused(access(server), seconds=0.2).detail
    finally:
        answered.set()


def test_no_time_left_is_no_request(server: KubernetesDouble) -> None:
    """A deadline that has passed is kept."""
    assert refused(access(server), seconds=-1.0).kind is Kind.UNAVAILABLE
    assert not server.asked


def test_an_answer_in_another_encoding_is_not_read(server: KubernetesDouble) -> None:
    """A few bytes could be made to unfold into many."""
    server.headers["content-encoding"] = "gzip"
    assert "encoding" in refused(access(server)).detail


def test_a_redirect_is_not_followed(server: KubernetesDouble) -> None:
    """Whoever answers does not choose whom we ask next, with our token."""
    server.answers["/pods"] = Recorded(302, {})
    assert asked(access(server)).status == 302
    assert server.asked == ["/pods"]


def test_nobody_there_is_unavailable() -> None:
    """The refusal names the address and what to look at."""
    refusal = refused(Access("http://127.0.0.1:1"))
    assert refusal.kind is Kind.UNAVAILABLE
    assert "127.0.0.1:1" in refusal.remedy


def test_credentials_are_read_again_each_minute(tmp_path: Path, ca: SmallCa) -> None:
    """Tokens are renewed in place; one that can't be read leaves the former in use."""
    token, clock = tmp_path / "token", StandingClock()
    token.write_text("first\n")
    materials = Materials(Access("http://127.0.0.1", token_path=str(token)), clock)
    assert materials.current().token == "first"
    token.write_text("second\n")
    assert materials.current().token == "first"
    clock.advance(RELOAD)
    assert materials.current().token == "second"
    token.unlink()
    clock.advance(RELOAD)
    assert materials.current().token == "second"
    assert "second" not in repr(materials.current())


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"a\nb"])
def test_a_token_that_is_none_is_said_at_once(tmp_path: Path, content: bytes | None) -> None:
    """What is in the file is not shown."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    materials = Materials(Access("http://x", token_path=str(path)), StandingClock())
    with pytest.raises(Refusal, match="the token in") as caught:
        materials.current()
    assert caught.value.kind is Kind.PRECONDITION


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_certificates_that_are_none_are_said_at_once(tmp_path: Path, content: bytes | None) -> None:
    """The refusal names the file."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    materials = Materials(Access("https://x", ca_path=str(path)), StandingClock())
    with pytest.raises(Refusal, match="certificates for https://x") as caught:
        materials.current()
    assert caught.value.value == str(path)


def test_a_client_certificate_is_a_file_or_a_text(tmp_path: Path, ca: SmallCa) -> None:
    """A key in a kubeconfig is never written to a disk."""
    signed, path = ca.workload(), tmp_path / "both.pem"
    path.write_bytes(signed.key_pem + signed.chain_pem)
    pem = {"certificate_pem": signed.chain_pem.decode(), "private_key_pem": signed.key_pem.decode()}
    for given in ({"certificate_path": str(path)}, pem):
        made = Access("https://x", ca_pem=ca.pem.decode(), **given)
        assert Materials(made, StandingClock()).read().context is not None
        assert "PRIVATE" not in repr(made)


def test_the_api_server_is_asked_for_three_things(server: KubernetesDouble) -> None:
    """What is not there is nothing, and everything that is no answer is said with the right."""

    async def whole() -> None:
        api = HttpsClusterApi(Endpoint("the API", access(server), StandingClock()))
        review = json.loads(await api.review("agent.own.token", ("finial-server",)))
        assert review["status"]["authenticated"]
        metadata = recorded("pod").document["metadata"]
        found = json.loads(await api.pod("finial", metadata["name"]))
        assert found["metadata"]["uid"] == metadata["uid"]
        assert await api.pod("finial", "nobody") == b""
        assert await api.node("nobody") == b""
        assert json.loads(await api.node("node1"))["kind"] == "Node"
        server.answers["/api/v1/nodes/node1"] = recorded("pod-forbidden")
        with pytest.raises(Refusal, match="may not get nodes"):
            await api.node("node1")
        server.answers["/api/v1/nodes/node1"] = Recorded(500, {})
        with pytest.raises(Refusal, match="status 500"):
            await api.node("node1")

    asyncio.run(whole())


def test_names_that_are_no_names_stay_in_their_segment(server: KubernetesDouble) -> None:
    """Nothing that a token says leads to another object."""

    async def whole() -> None:
        api = HttpsClusterApi(Endpoint("the API", access(server), StandingClock()))
        assert await api.pod("finial/../..", "a?b#c") == b""

    asyncio.run(whole())
    assert server.asked == ["/api/v1/namespaces/finial%2F..%2F../pods/a%3Fb%23c"]


def test_a_pod_knows_its_cluster() -> None:
    """Kubernetes tells every pod where its API is, and who it is."""
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    found = kubeconfig.in_cluster(environ)
    assert found.url == "https://10.96.0.1:443"
    assert found.token_path.endswith("/token")
    environ["KUBERNETES_SERVICE_HOST"] = "fd00::1"
    assert kubeconfig.in_cluster(environ).url == "https://[fd00::1]:443"
    with pytest.raises(Refusal, match="in no cluster") as caught:
        kubeconfig.in_cluster({})
    assert caught.value.kind is Kind.PRECONDITION


def config(**user: object) -> dict[str, Any]:
    cluster = {
        "server": "https://c:6443/",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    return {
        "contexts": [
            {"name": "other", "context": {}},
            {"name": "c", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "current-context": "c",
    }


def from_file(folder: Path, document: object) -> Access:
    (folder / "config").write_text(json.dumps(document))
    return kubeconfig.from_file(str(folder / "config"))


def test_a_kubeconfigs_current_context_counts(tmp_path: Path) -> None:
    """Cluster and user are found by name; relative paths begin at the file's folder."""
    found = from_file(tmp_path, config(tokenFile="token"))
    assert found == Access("https://c:6443", ca_pem="PEM", token_path=str(tmp_path / "token"))
    key = base64.b64encode(b"KEY").decode()
    found = from_file(tmp_path, config(**{"client-key-data": key, "client-certificate": "/c.pem"}))
    assert (found.private_key_pem, found.certificate_path) == ("KEY", "/c.pem")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "is not JSON"),
        ({}, "has no context"),
        ({**config(), "clusters": []}, "has no cluster called 'c'"),
        ({**config(), "users": [{"name": "u"}, "x"], "current-context": 1}, "has no context"),
        (config(exec={"command": "aws"}), "'exec'"),
        (config(token=["x"]), "token that is no text"),
        (config(**{"client-key-data": "?"}), "no PEM in base64"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    tmp_path: Path, document: object, said: str
) -> None:
    """Programs that fetch credentials are not run."""
    with pytest.raises(Refusal, match=said) as caught:
        from_file(tmp_path, document)
    assert caught.value.kind is Kind.PRECONDITION
    assert "kubectl config view" in caught.value.remedy


def test_a_kubeconfig_that_is_not_there_says_so(tmp_path: Path) -> None:
    """The refusal names the path."""
    with pytest.raises(Refusal, match="cannot be read"):
        kubeconfig.from_file(str(tmp_path / "none"))
