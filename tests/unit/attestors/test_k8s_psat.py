"""The node attestor k8s_psat, against what a real cluster answered."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attestors.contract import Consult, Verdict, VerifierContext
from attestors.node.k8s_psat import evidence, payload, verifier
from attestors.node.k8s_psat.verifier import Cluster, K8sPsatVerifier, Settings
from finial.runtime.settings import SettingsError, load
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.entropy import RepeatingEntropy
from tests.doubles.kubernetes import Recorded, RecordedCluster, recorded

CLUSTER = Cluster(
    service_account_allow_list=("finial:finial-agent",),
    audience=("finial-server",),
    allowed_node_label_keys=("kubernetes.io/hostname", "none"),
    allowed_pod_label_keys=("app",),
)
TD = TrustDomain("example.org")
CONTEXT = VerifierContext(TD, lambda: Bundle(TD), RepeatingEntropy())
NODE_UID = recorded("node").document["metadata"]["uid"]
POD = recorded("pod").document


def judged(
    api: RecordedCluster, token: str = "agent.own.token", cluster: Cluster = CLUSTER
) -> Verdict:
    """Hold the whole conversation; whatever is asked, the recordings answer."""
    judge = K8sPsatVerifier(Settings({"demo": cluster}), {"demo": api})
    conversation = judge.verify(payload.encode(payload.Claim("demo", token)), NOW)
    try:
        question = next(conversation)
        while True:
            assert isinstance(question, Consult)
            assert token not in repr(question)
            question = conversation.send(asyncio.run(awaited(question.ask)))
    except StopIteration as done:
        verdict: Verdict = done.value
        return verdict


async def awaited(ask: Callable[[], Any]) -> bytes:
    answer: bytes = await ask()
    return answer


def refused(api: RecordedCluster, token: str = "agent.own.token", **changes: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        judged(api, token, replace(CLUSTER, **changes))
    return caught.value


def test_a_token_of_the_agents_pod_names_its_node() -> None:
    """Path and selectors are SPIRE's, and the agent may come again (PN-02)."""
    api = RecordedCluster()
    verdict = judged(api)
    assert verdict.agent_path == f"/k8s_psat/demo/{NODE_UID}"
    assert verdict.can_reattest
    assert [str(each) for each in verdict.selectors] == [
        "k8s_psat:cluster:demo",
        "k8s_psat:agent_ns:finial",
        "k8s_psat:agent_sa:finial-agent",
        f"k8s_psat:agent_pod_name:{POD['metadata']['name']}",
        f"k8s_psat:agent_pod_uid:{POD['metadata']['uid']}",
        f"k8s_psat:agent_node_ip:{POD['status']['hostIP']}",
        "k8s_psat:agent_node_name:node1",
        f"k8s_psat:agent_node_uid:{NODE_UID}",
        "k8s_psat:agent_pod_label:app:finial-agent",
        "k8s_psat:agent_node_label:kubernetes.io/hostname:node1",
    ]
    assert api.asked == [
        ("review", "finial-server"),
        ("pod", "finial", POD["metadata"]["name"]),
        ("node", "node1"),
    ]


def test_an_agent_may_be_named_after_its_pod() -> None:
    """With use_pod_uid_for_agent_id two agents of one node are two (PN-02)."""
    verdict = judged(RecordedCluster(), cluster=replace(CLUSTER, use_pod_uid_for_agent_id=True))
    assert verdict.agent_path == f"/k8s_psat/demo/pod/{POD['metadata']['uid']}"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("nonsense", "token not authenticated"),
        ("agent.foreign.token", "token not authenticated"),
        ("web.own.token", '"shop:web" is not an allowed service account'),
        ("agent.unbound.token", "bound to no pod"),
    ],
)
def test_what_the_cluster_does_not_vouch_for_is_denied(token: str, said: str) -> None:
    """A token for nobody, for somebody else, of another account, or of no pod proves nothing."""
    api = RecordedCluster()
    refusal = refused(api, token)
    assert refusal.kind is Kind.DENIED
    assert said in refusal.detail
    assert token not in str(refusal)
    assert [each[0] for each in api.asked] == ["review"]


def reviewed_with(*path: str, to: Any) -> RecordedCluster:
    api = RecordedCluster()
    api.change_review = lambda review: review.changed("status", *path, to=to)
    return api


EXTRA = ("user", "extra")
POD_NAME = "authentication.kubernetes.io/pod-name"
NODE_NAME = "authentication.kubernetes.io/node-name"


@pytest.mark.parametrize(
    ("api", "said"),
    [
        (reviewed_with("audiences", to=None), "none of this server's audiences"),
        (reviewed_with("audiences", to=["else"]), "none of this server's audiences"),
        (reviewed_with("user", "username", to="admin"), "no service account"),
        (reviewed_with("user", "username", to="system:serviceaccount:a:b:c"), "no service account"),
        (reviewed_with(*EXTRA, POD_NAME, to=["a", "b"]), "bound to no pod"),
        (reviewed_with(*EXTRA, NODE_NAME, to=["node2"]), "given to node node2"),
        (reviewed_with("authenticated", to="true"), "token not authenticated"),
    ],
)
def test_a_review_that_says_less_or_else_is_denied(api: RecordedCluster, said: str) -> None:
    """An API server that knows no audiences has checked none; a pod and a node are one each."""
    refusal = refused(api)
    assert refusal.kind is Kind.DENIED
    assert said in refusal.detail


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (None, "there is no pod"),
        (recorded("pod").changed("metadata", "uid", to="another"), "an earlier pod"),
        (
            recorded("pod").changed("spec", "serviceAccountName", to="other"),
            "another service account",
        ),
        (recorded("pod").changed("spec", "nodeName", to=""), "runs on no node"),
    ],
)
def test_a_pod_that_is_gone_or_another_is_denied(pod: Recorded | None, said: str) -> None:
    """A token outlives its pod by some seconds, in which another may get its name."""
    api = RecordedCluster()
    api.pod_answer = pod
    refusal = refused(api)
    assert refusal.kind is Kind.DENIED
    assert said in refusal.detail


def test_a_node_that_is_gone_is_denied() -> None:
    """The node has a uid only while it is there."""
    api = RecordedCluster()
    api.node_answer = None
    assert "no node node1" in refused(api).detail


@pytest.mark.parametrize(
    "strange",
    [
        recorded("pod-missing"),
        Recorded(200, "<html>"),
        recorded("pod").changed("kind", to="Node"),
        recorded("pod").changed("metadata", "uid", to=""),
        recorded("pod").changed("metadata", "uid", to="../x"),
        recorded("pod").changed("metadata", to=[]),
        recorded("pod").changed("metadata", "labels", to={"app": 1}),
        recorded("pod").changed("status", "hostIP", to=[]),
    ],
)
def test_an_answer_that_is_not_of_kubernetes_is_no_verdict(strange: Recorded) -> None:
    """What answers with something else is away, not a judge; the agent may try again."""
    api = RecordedCluster()
    api.pod_answer = strange
    assert refused(api).kind is Kind.UNAVAILABLE


def test_reviews_have_to_have_lists_of_texts() -> None:
    """Audiences that are no texts are not compared with anything."""
    assert refused(reviewed_with("audiences", to=[1])).kind is Kind.UNAVAILABLE
    assert refused(reviewed_with("audiences", to="finial-server")).kind is Kind.UNAVAILABLE


def test_without_audiences_the_cluster_asks_for_its_own() -> None:
    """An empty list leaves it to the API server, as in SPIRE."""
    assert judged(RecordedCluster(), cluster=replace(CLUSTER, audience=())).can_reattest


@pytest.mark.parametrize(
    "document",
    [
        b'{"cluster":"demo"}',
        b'{"token":"a.b.c"}',
        b'{"cluster":"","token":"a"}',
        b'{"cluster":"a/b","token":"a"}',
        b'{"cluster":"..","token":"a"}',
        b'{"cluster":"demo","token":"a b"}',
        b'{"cluster":"demo","token":["a"]}',
        b'{"cluster":"unknown","token":"a"}',
    ],
)
def test_a_payload_without_cluster_and_token_is_invalid(document: bytes) -> None:
    """Nothing is asked of anybody before the payload makes sense (BN-02)."""
    judge = K8sPsatVerifier(Settings({"demo": CLUSTER}), {"demo": RecordedCluster()})
    with pytest.raises(Refusal) as caught:
        next(judge.verify(document, NOW))
    assert caught.value.kind is Kind.INVALID


def test_the_evidence_is_the_token_as_it_is_now(tmp_path: Path) -> None:
    """The kubelet renews the token in place, so it is read at each attestation (QN-02)."""
    path = tmp_path / "token"
    given = evidence.create(evidence.Settings("demo", str(path)))
    for token in ("a.b.c", "d.e.f"):
        path.write_text(f"{token}\n")
        sent = json.loads(asyncio.run(given.payload()))
        assert sent == {"cluster": "demo", "token": token}
    with pytest.raises(Refusal) as caught:
        asyncio.run(given.respond(b"?"))
    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"two words"])
def test_an_agent_without_a_token_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    """What is in the file is never shown; what to mount there is."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refusal, match="project a service account token") as caught:
        asyncio.run(evidence.create(evidence.Settings("demo", str(path))).payload())
    assert caught.value.kind is Kind.PRECONDITION
    assert "two words" not in str(caught.value)


def test_a_token_is_never_printed() -> None:
    """The representation of a claim does not hold the token."""
    assert "secret" not in repr(payload.Claim("demo", "secret"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "clusters is missing"),
        ({"clusters": {"a/b": {"service_account_allow_list": ["a:b"]}}}, "no cluster's name"),
        ({"clusters": {"demo": {}}}, "service_account_allow_list is missing"),
        ({"clusters": {"demo": {"service_account_allow_list": []}}}, "nobody would be let in"),
        ({"clusters": {"demo": {"service_account_allow_list": ["a"]}}}, "not namespace:name"),
        ({"clusters": {"demo": {"service_account_allow_list": ["a:b:c"]}}}, "not namespace:name"),
    ],
)
def test_settings_that_let_nobody_in_are_refused(table: dict[str, Any], said: str) -> None:
    """A configuration that cannot work is said at the start."""
    with pytest.raises(SettingsError, match=said):
        load(Settings, table, "plugins.node_attestor.k8s_psat")


def test_settings_are_read_as_spire_names_them() -> None:
    """Clusters are tables by name."""
    table = {
        "clusters": {
            "demo": {
                "service_account_allow_list": ["finial:finial-agent"],
                "audience": ["finial-server"],
                "allowed_node_label_keys": ["kubernetes.io/hostname", "none"],
                "allowed_pod_label_keys": ["app"],
            }
        }
    }
    assert load(Settings, table, "").clusters == {"demo": CLUSTER}


def test_a_verifier_is_made_of_a_kubeconfig(tmp_path: Path) -> None:
    """Its files are read at the start, so that what is wrong with them is said then (PN-02)."""
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "x"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(json.dumps(config))
    cluster = replace(CLUSTER, kube_config_file=str(tmp_path / "config"))
    made = verifier.create(Settings({"demo": cluster}), CONTEXT)
    question = next(made.verify(payload.encode(payload.Claim("demo", "a.b.c")), NOW))
    assert isinstance(question, Consult)
    with pytest.raises(Refusal, match="the Kubernetes API of cluster demo") as caught:
        asyncio.run(awaited(question.ask))
    assert caught.value.kind is Kind.UNAVAILABLE
    config["users"] = [{"name": "u", "user": {"tokenFile": "none"}}]
    (tmp_path / "config").write_text(json.dumps(config))
    with pytest.raises(Refusal, match="the token in"):
        verifier.create(Settings({"demo": cluster}), CONTEXT)


def test_a_kubeconfig_that_is_not_json_is_refused_with_the_command(tmp_path: Path) -> None:
    """The operator is told how to write one that can be read."""
    config = tmp_path / "config"
    config.write_text("apiVersion: v1\n")
    written = Settings({"demo": replace(CLUSTER, kube_config_file=str(config))})
    with pytest.raises(Refusal, match="kubectl config view"):
        verifier.create(written, CONTEXT)
