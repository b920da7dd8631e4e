"""Workloads as anybody would run them: they mount the agent's folder of the Workload API."""

from collections.abc import Mapping
from typing import Any, Final

from tests.interop.kubernetes.cluster import Cluster
from tests.interop.kubernetes.configuration import NODE
from tests.interop.kubernetes.images import IMAGE, STRANGER

SHOP: Final = "shop"
SOCKET: Final = "unix:///run/finial/workload/workload.sock"
SLEEP: Final = ["/opt/finial/bin/python", "-c", "import signal; signal.pause()"]
TOKENS: Final = "/var/run/secrets/tokens"
STRAY: Final = """
[agent]
trust_domain = "example.org"
server_address = "finial-server.finial.svc"
insecure_bootstrap = true
data_dir = "/tmp/agent"
[plugins.key_manager.memory]
[plugins.node_attestor.k8s_psat]
cluster = "demo"
token_path = "/var/run/secrets/tokens/finial-agent"
"""

Object = Mapping[str, Any]


def volume(folder: str) -> Object:
    """A volume for the server's claim, where the cluster's node keeps it."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "data"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": folder},
            "nodeAffinity": {
                "required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]},
            },
        },
    }


def shop() -> list[Object]:
    """A namespace, an account, and two services of the same image that differ in a label."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP}},
        _account("web"),
        _account("other"),
        _deployment("web"),
        _deployment("db"),
    ]


def early(name: str) -> Object:
    """A pod that asks for its identity at once, when the kubelet has hardly heard of it."""
    asking = ["finial", "fetch", "x509", "--timeout=20", "--output=json"]
    spec = {**_spec(_container("web", asking)), "restartPolicy": "Never", "initContainers": []}
    return _pod(name, spec, {"app": "web"})


def stray_agent(name: str, token: Mapping[str, object] | None = None) -> Object:
    """An agent that nobody asked for; its account is none of those that may join."""
    source = {"path": "finial-agent", "audience": "finial-server", **(token or {})}
    agent = {
        **_container("agent", ["finial", "agent", "run", "--config", "/etc/finial/agent.toml"]),
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/finial"},
            {"name": "token", "mountPath": TOKENS},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "stray-agent"}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": source}]}},
    ]
    spec = {
        "serviceAccountName": "web",
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [agent],
        "volumes": volumes,
    }
    return _pod(name, spec, {})


def stray_settings() -> Object:
    """What such an agent is told."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stray-agent", "namespace": SHOP},
        "data": {"agent.toml": STRAY},
    }


def pod_of(cluster: Cluster, app: str, namespace: str = SHOP) -> str:
    """The name of the one living pod with that label `app`."""
    listed = cluster.get("pods", f"--namespace={namespace}", f"--selector=app={app}")["items"]
    living = [each for each in listed if "deletionTimestamp" not in each["metadata"]]
    [pod] = [each for each in living if each["status"]["phase"] == "Running"]
    name: str = pod["metadata"]["name"]
    return name


def _account(name: str) -> Object:
    metadata = {"name": name, "namespace": SHOP}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _deployment(app: str) -> Object:
    containers = [_container("web", SLEEP), _container("sidecar", SLEEP, STRANGER)]
    prepare = _container("prepare", ["/opt/finial/bin/python", "-c", "pass"])
    spec = {**_spec(*containers), "initContainers": [prepare]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "namespace": SHOP},
        "spec": {
            "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
        },
    }


def _pod(name: str, spec: Object, labels: Mapping[str, str]) -> Object:
    metadata = {"name": name, "namespace": SHOP, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _spec(*containers: Object) -> Object:
    folder = {"path": "/run/finial/workload", "type": "Directory"}
    return {
        "serviceAccountName": "web",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": 1000},
        "containers": list(containers),
        "volumes": [{"name": "workload", "hostPath": folder}],
    }


def _container(name: str, command: list[str], image: str = IMAGE) -> Object:
    mounted = {"name": "workload", "mountPath": "/run/finial/workload", "readOnly": True}
    return {
        "name": name,
        "image": image,
        "command": command,
        "env": [{"name": "SPIFFE_ENDPOINT_SOCKET", "value": SOCKET}],
        "volumeMounts": [mounted],
    }
