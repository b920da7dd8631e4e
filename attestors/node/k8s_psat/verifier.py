"""The server's half: the cluster that gave the token says whose it is (PN-02).

1. The cluster is one of the settings; its API reviews the token for our audiences.
2. Its service account is on the list, and it is bound to a pod.
3. That pod is still there, with the same uid: a token outlives its pod by a few seconds, and
   another pod may have the same name by then.
4. The node is the one that the cluster says the pod runs on; nothing of it comes from the agent.

Nothing is kept from one attestation to the next, so the same agent may come again at any time.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from attestors.contract import Address, Consult, Conversation, Verdict, VerifierContext
from attestors.node.k8s_psat import objects
from attestors.node.k8s_psat import payload as wire
from attestors.node.k8s_psat.cluster_api import ClusterApi
from attestors.node.k8s_psat.grammar import GRAMMAR
from attestors.node.k8s_psat.objects import Node, Pod, Review
from finial.runtime.clock import SystemClock
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

__all__ = ["GRAMMAR", "Cluster", "K8sPsatVerifier", "Settings", "create"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which agents of a cluster are believed, named as in SPIRE.

    `service_account_allow_list` has service accounts as `namespace:name`. Without
    `kube_config_file` (JSON) the API is that of the cluster that the server itself runs in. Labels
    become selectors only under the keys that are listed.
    """

    service_account_allow_list: tuple[str, ...]
    audience: tuple[str, ...] = ("spire-server",)
    kube_config_file: str = ""
    allowed_node_label_keys: tuple[str, ...] = ()
    allowed_pod_label_keys: tuple[str, ...] = ()
    use_pod_uid_for_agent_id: bool = False

    def __post_init__(self) -> None:
        if not self.service_account_allow_list:
            raise ValueError("service_account_allow_list is empty: nobody would be let in")
        for each in self.service_account_allow_list:
            namespace, colon, name = each.partition(":")
            if not (namespace and colon and name) or ":" in name:
                raise ValueError(
                    f"service_account_allow_list has {each[:80]!r}, which is not namespace:name"
                )


@dataclass(frozen=True, slots=True)
class Settings:
    """The clusters by the name that agents give, which is also part of their SPIFFE IDs."""

    clusters: Mapping[str, Cluster] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.clusters:
            raise ValueError("clusters is missing: name at least one")
        faults = [fault for name in self.clusters if (fault := wire.fault_of_cluster(name))]
        if faults:
            raise ValueError(f"clusters is wrong: {faults[0]}")


class K8sPsatVerifier:
    """Believes an agent whose token the cluster itself confirms."""

    name = wire.NAME

    def __init__(self, settings: Settings, apis: Mapping[str, ClusterApi]) -> None:
        self._clusters = settings.clusters
        self._apis = apis

    def verify(self, payload: bytes, now: float, address: Address | None = None) -> Conversation:
        """Have the token reviewed, then look at its pod and its node.

        Raises: Refusal of kind INVALID (what was sent makes no sense), DENIED (it proves nothing).
        """
        claim = wire.decode(payload)
        cluster = self._clusters.get(claim.cluster)
        if cluster is None:
            raise Refusal(
                Kind.INVALID,
                f'{wire.NAME}: not configured for cluster "{claim.cluster}"',
                field="cluster",
                value=claim.cluster,
            )
        api, whom = self._apis[claim.cluster], f"the Kubernetes API of cluster {claim.cluster}"
        asked = partial(api.review, claim.token, cluster.audience)
        review = objects.read_review((yield Consult(whom, asked)))
        _judge_review(review, cluster)
        found = yield Consult(whom, partial(api.pod, review.namespace, review.pod_name))
        pod = _judged_pod(found, review)
        found = yield Consult(whom, partial(api.node, pod.node_name))
        if not found:
            raise _denied(f"there is no node {pod.node_name} in the cluster")
        return _verdict(claim.cluster, cluster, review, pod, objects.read_node(found))


def create(settings: Settings, context: VerifierContext) -> K8sPsatVerifier:
    """Make the verifier; kubeconfigs are read now, tokens and certificates again each minute.

    Raises: Refusal of kind PRECONDITION.
    """
    from attestors.kubernetes import kubeconfig
    from attestors.kubernetes.endpoint import Endpoint
    from attestors.node.k8s_psat.cluster_api import HttpsClusterApi

    clock = SystemClock()
    apis: dict[str, ClusterApi] = {}
    for name, cluster in settings.clusters.items():
        path = cluster.kube_config_file
        access = kubeconfig.from_file(path) if path else kubeconfig.in_cluster(os.environ)
        endpoint = Endpoint(f"the Kubernetes API of cluster {name}", access, clock)
        endpoint.materials.current()
        apis[name] = HttpsClusterApi(endpoint)
    return K8sPsatVerifier(settings, apis)


def _judge_review(review: Review, cluster: Cluster) -> None:
    if not review.authenticated:
        raise _denied("token not authenticated according to TokenReview API")
    # An API server that knows nothing of audiences leaves them out, and has not checked them.
    if cluster.audience and not set(cluster.audience) & set(review.audiences):
        raise _denied("the token is for none of this server's audiences")
    account = f"{review.namespace}:{review.service_account}"
    if account not in cluster.service_account_allow_list:
        raise _denied(f'"{account}" is not an allowed service account')
    if not review.pod_name or not review.pod_uid:
        raise _denied("the token is bound to no pod; a projected one is")


def _judged_pod(document: bytes, review: Review) -> Pod:
    named = f"{review.namespace}/{review.pod_name}"
    if not document:
        raise _denied(f"there is no pod {named} in the cluster")
    pod = objects.read_pod(document)
    if pod.uid != review.pod_uid:
        raise _denied(f"the token was given to an earlier pod {named}")
    if pod.service_account != review.service_account:
        raise _denied(f"the pod {named} has another service account than the token")
    if not pod.node_name:
        raise _denied(f"the pod {named} runs on no node")
    if review.node_name and review.node_name != pod.node_name:
        raise _denied(f"the token was given to node {review.node_name}, not to {pod.node_name}")
    return pod


def _verdict(name: str, cluster: Cluster, review: Review, pod: Pod, node: Node) -> Verdict:
    values = [
        f"cluster:{name}",
        f"agent_ns:{review.namespace}",
        f"agent_sa:{review.service_account}",
        f"agent_pod_name:{review.pod_name}",
        f"agent_pod_uid:{pod.uid}",
        f"agent_node_ip:{pod.host_ip}" if pod.host_ip else "",
        f"agent_node_name:{pod.node_name}",
        f"agent_node_uid:{node.uid}",
    ]
    values += _labels("agent_pod_label", pod.labels, cluster.allowed_pod_label_keys)
    values += _labels("agent_node_label", node.labels, cluster.allowed_node_label_keys)
    by_pod = cluster.use_pod_uid_for_agent_id
    path = f"/{wire.NAME}/{name}/pod/{pod.uid}" if by_pod else f"/{wire.NAME}/{name}/{node.uid}"
    selectors = tuple(Selector(wire.NAME, value) for value in dict.fromkeys(values) if value)
    return Verdict(path, selectors, can_reattest=True)


def _labels(form: str, labels: Mapping[str, str], allowed: tuple[str, ...]) -> list[str]:
    return [f"{form}:{key}:{labels[key]}" for key in allowed if key in labels]


def _denied(fault: str) -> Refusal:
    return Refusal(Kind.DENIED, f"{wire.NAME}: {fault}")
