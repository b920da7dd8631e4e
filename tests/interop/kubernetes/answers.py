"""What the real API server and kubelet answer: the recordings that the double plays.

With RECORD=1 in the environment the tests write them to tests/vectors/kubernetes; without it they
make sure that the recordings are still like the real answers.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.doubles.programs import ROOT, eventually
from tests.interop.kubernetes.cluster import Cluster
from tests.interop.kubernetes.configuration import ADDRESS, API, NODE
from tests.interop.kubernetes.workloads import SHOP, pod_of

RECORDINGS: Final = ROOT / "tests/vectors/kubernetes"
REVIEW: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
KUBELET: Final = f"https://{ADDRESS}:10250"
READ_ONLY: Final = f"http://{ADDRESS}:10255"
AUDIENCE: Final = "finial-server"
# What belongs to the machine that the recording was made on.
OWN: Final = frozenset({"machineID", "systemUUID", "bootID", "kernelVersion", "images", "token"})
NOISE: Final = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration")
DEPTH: Final = 4


@dataclass(frozen=True)
class Asked:
    """One request: whose token it bears, maybe none, and its body, maybe none."""

    url: str
    token: str = ""
    body: Mapping[str, object] | None = None


class Asker:
    """Asks a cluster that runs the shop and the examples."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def answers(self) -> Mapping[str, Any]:
        """Every answer by its name: a status and a document."""
        return {name: self.ask(asked) for name, asked in self._questions()}

    def ask(self, asked: Asked) -> Any:
        """Send one request."""
        command = ["curl", "--silent"]
        command += ["--cacert", self._cluster.file("pki/ca.crt"), "--write-out", "\n%{http_code}"]
        if asked.token:
            command += ["--header", f"Authorization: Bearer {asked.token}"]
        if asked.body is not None:
            command += ["--header", "Content-Type: application/json", "--data", "@-"]
        given = json.dumps(asked.body) if asked.body is not None else None
        body, _, status = self._cluster.run(*command, asked.url, input=given).stdout.rpartition(
            "\n"
        )
        try:
            document = json.loads(body)
        except ValueError:
            document = body
        return {"status": int(status), "body": _impersonal(document)}

    def token(self, account: str, namespace: str, pod: str = "", audience: str = AUDIENCE) -> str:
        """A token as a kubelet gets it for a pod, or one that is bound to none."""
        spec: dict[str, object] = {"audiences": [audience]} if audience else {}
        if pod:
            uid = self._cluster.get("pod", pod, f"--namespace={namespace}")["metadata"]["uid"]
            bound = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
            spec["boundObjectRef"] = bound
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        made = self._cluster.kubectl(
            "create", f"--raw={path}", "--filename=-", input=json.dumps(request)
        )
        token: str = json.loads(made)["status"]["token"]
        return token

    def _questions(self) -> Iterator[tuple[str, Asked]]:
        server = self.token("finial-server", "finial", audience="")
        agent = self.token("finial-agent", "finial", audience="")
        yield from self._reviews(server)
        pod = pod_of(self._cluster, "finial-agent", "finial")
        pods = f"{API}/api/v1/namespaces/finial/pods"
        yield "pod", Asked(f"{pods}/{pod}", server)
        yield "pod-missing", Asked(f"{pods}/nobody", server)
        yield "pod-forbidden", Asked(f"{pods}/{pod}", agent)
        yield "node", Asked(f"{API}/api/v1/nodes/{NODE}", server)
        yield "node-missing", Asked(f"{API}/api/v1/nodes/nobody", server)
        yield "pods", Asked(f"{KUBELET}/pods", agent)
        yield "pods-unauthorized", Asked(f"{KUBELET}/pods")
        yield "pods-forbidden", Asked(f"{KUBELET}/pods", self.token("web", SHOP, audience=""))

    def _reviews(self, server: str) -> Iterator[tuple[str, Asked]]:
        pod = pod_of(self._cluster, "finial-agent", "finial")
        web = pod_of(self._cluster, "web")
        tokens = {
            "review": self.token("finial-agent", "finial", pod),
            "review-unbound": self.token("finial-agent", "finial"),
            "review-other-account": self.token("web", SHOP, web),
            "review-other-audience": self.token("finial-agent", "finial", pod, "somebody"),
            "review-nonsense": "e30.e30.e30",
        }
        for name, token in tokens.items():
            spec = {"token": token, "audiences": [AUDIENCE]}
            review = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": spec,
            }
            yield name, Asked(f"{API}{REVIEW}", server, review)


def review_of(asker: Asker, token: str) -> Mapping[str, Any]:
    """What the API server says of a token now."""
    server = asker.token("finial-server", "finial", audience="")
    spec = {"token": token, "audiences": [AUDIENCE]}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    status: Mapping[str, Any] = asker.ask(Asked(f"{API}{REVIEW}", server, review))["body"]["status"]
    return status


def no_longer_accepted(asker: Asker, token: str) -> bool:
    """Wait until a token is refused: the API server remembers good ones for ten seconds."""
    return eventually(lambda: not review_of(asker, token).get("authenticated"), 40)


def shape(value: Any, depth: int = DEPTH) -> Any:
    """What an answer is made of: names and types, not values."""
    if isinstance(value, Mapping):
        if depth == 0:
            return "object"
        return {name: shape(each, depth - 1) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return "list"
    return type(value).__name__


def _impersonal(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _emptied(each) if name in OWN else _impersonal(each)
            for name, each in value.items()
            if name not in NOISE
        }
    if isinstance(value, list):
        return [_impersonal(each) for each in value]
    return value


def _emptied(value: Any) -> Any:
    return type(value)()
