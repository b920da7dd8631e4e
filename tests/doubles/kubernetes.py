"""A double of Kubernetes: it plays what a real API server and a real kubelet answered.

The answers in tests/vectors/kubernetes were recorded by `make test-k8s` from Kubernetes 1.20, which
also makes sure that they are still like the real ones. The double knows nothing of its own.
"""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from tests.doubles.ca import SERVER_AND_CLIENT, SmallCa

RECORDINGS: Final = Path(__file__).parents[1] / "vectors/kubernetes"
REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
# Tokens are secrets and were not recorded: these stand for those that were reviewed.
TOKENS: Final = {
    "agent.own.token": "review",
    "agent.unbound.token": "review-unbound",
    "web.own.token": "review-other-account",
    "agent.foreign.token": "review-other-audience",
}


@dataclass(frozen=True)
class Recorded:
    """One answer: its status, and its document."""

    status: int
    document: Any

    @property
    def body(self) -> bytes:
        text = self.document if isinstance(self.document, str) else json.dumps(self.document)
        return text.encode()

    def changed(self, *path: str | int, to: Any) -> "Recorded":
        """The same answer with another value at one place."""
        document = json.loads(json.dumps(self.document))
        at = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to
        return Recorded(self.status, document)


@cache
def recorded(name: str) -> Recorded:
    """An answer by its name, such as `pod-missing`."""
    found = json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))
    return Recorded(found["status"], found["body"])


def reviewed(token: str) -> Recorded:
    """What the API server said of a token."""
    return recorded(TOKENS.get(token, "review-nonsense"))


def agent_pod() -> str:
    """The namespace and the name of the pod that the agent ran in, as a path."""
    metadata = recorded("pod").document["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def node() -> str:
    """The node's path."""
    return f"/api/v1/nodes/{recorded('node').document['metadata']['name']}"


@dataclass(frozen=True)
class PodOnNode:
    """A pod of the recorded list: its uid, and the IDs of its containers by their names."""

    uid: str
    name: str
    containers: Mapping[str, str]

    def cgroup(self, container: str, parent: str = "/kubepods/besteffort") -> str:
        """Where the kubelet put a container."""
        return f"{parent}/pod{self.uid}/{self.containers[container]}"


def pod_on_node(app: str) -> PodOnNode:
    """The pod of the recorded list that has that label `app`."""
    pods = recorded("pods").document["items"]
    [pod] = [each for each in pods if each["metadata"].get("labels", {}).get("app") == app]
    status = pod["status"]
    statuses = [*status["containerStatuses"], *status.get("initContainerStatuses", ())]
    ids = {each["name"]: each["containerID"].rpartition("//")[2] for each in statuses}
    return PodOnNode(pod["metadata"]["uid"], pod["metadata"]["name"], ids)


def process_in(folder: Path, *lines: str) -> str:
    """A process's folder whose cgroups are these lines, such as `/kubepods/...`."""
    folder.mkdir(parents=True, exist_ok=True)
    numbered = (f"{number}:c{number}:{line}\n" for number, line in enumerate(lines, 1))
    (folder / "cgroup").write_text("".join(numbered))
    return str(folder)


class RecordedCluster:
    """The cluster as a verifier asks it, without a network."""

    def __init__(self) -> None:
        self.pod_answer: Recorded | None = recorded("pod")
        self.node_answer: Recorded | None = recorded("node")
        self.change_review: Callable[[Recorded], Recorded] = lambda review: review
        self.asked: list[tuple[str, ...]] = []

    async def review(self, token: str, audiences: tuple[str, ...]) -> bytes:
        self.asked.append(("review", *audiences))
        return self.change_review(reviewed(token)).body

    async def pod(self, namespace: str, name: str) -> bytes:
        self.asked.append(("pod", namespace, name))
        return self.pod_answer.body if self.pod_answer else b""

    async def node(self, name: str) -> bytes:
        self.asked.append(("node", name))
        return self.node_answer.body if self.node_answer else b""


@dataclass
class KubernetesDouble:
    """Plays the API server and the kubelet at one address; a test may exchange any answer."""

    url: str = ""
    ca_path: str = ""
    bearer: str = "server.account.token"
    answers: dict[str, Recorded] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.answers = {
            agent_pod(): recorded("pod"),
            node(): recorded("node"),
            "/pods": recorded("pods"),
        }

    def answer(self, path: str, body: bytes, bearer: str) -> Recorded:
        """What is answered to a request."""
        self.asked.append(path)
        self.before()
        if bearer != f"Bearer {self.bearer}":
            return recorded("pods-unauthorized")
        if path == REVIEWS and path not in self.answers:
            return reviewed(json.loads(body)["spec"]["token"])
        missing = "node-missing" if path.startswith("/api/v1/nodes/") else "pod-missing"
        return self.answers.get(path, recorded(missing))


@contextlib.contextmanager
def kubernetes(folder: Path, ca: SmallCa, *names: str) -> Iterator[KubernetesDouble]:
    """Run the double on a port of 127.0.0.1, with a certificate for these names and addresses."""
    double = KubernetesDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    server.daemon_threads = True
    server.socket = _context(folder, ca, names or ("127.0.0.1",)).wrap_socket(
        server.socket, server_side=True
    )
    double.url = f"https://127.0.0.1:{server.server_address[1]}"
    double.ca_path = str(folder / "ca.pem")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _context(folder: Path, ca: SmallCa, names: tuple[str, ...]) -> ssl.SSLContext:
    given: list[x509.GeneralName] = []
    for each in names:
        with contextlib.suppress(ValueError):
            given.append(x509.IPAddress(ip_address(each)))
            continue
        given.append(x509.DNSName(each))
    signed = ca.sign(
        extensions=[
            (x509.SubjectAlternativeName(given), False),
            (x509.ExtendedKeyUsage(SERVER_AND_CLIENT), False),
        ]
    )
    (folder / "ca.pem").write_bytes(ca.pem)
    (folder / "server.pem").write_bytes(signed.key_pem + signed.chain_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _handler(double: KubernetesDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            found = double.answer(self.path, body, self.headers.get("authorization", ""))
            self.send_response(found.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(found.body)))
            for name, value in double.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
