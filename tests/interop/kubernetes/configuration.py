"""Where everything in the cluster is, and what its programs are told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

NODE: Final = "node1"
ADDRESS: Final = "10.99.0.2"
API: Final = f"https://{ADDRESS}:6443"
PODS: Final = "10.88.0.0/16"
SERVICES: Final = "10.96.0.0/16"


def kubeconfig(ca: Path, certificate: Path, key: Path) -> Mapping[str, object]:
    """A kubeconfig for a client certificate."""
    server = {"server": API, "certificate-authority": str(ca)}
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": server}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "me"}}],
        "current-context": "local",
    }


def kubelet(pki: Path) -> Mapping[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "address": ADDRESS,
        "port": 10250,
        "readOnlyPort": 10255,
        "tlsCertFile": str(pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "oomScoreAdj": 0,
        "resolvConf": "",
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
    }


def proxy(folder: Path) -> Mapping[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(folder / "proxy.json")},
        "mode": "iptables",
        "clusterCIDR": PODS,
        "hostnameOverride": NODE,
        "oomScoreAdj": 0,
        # The limits of connections belong to the whole machine.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def pod_network(folder: Path) -> Mapping[str, object]:
    return {
        "cniVersion": "0.3.1",
        "name": "pods",
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "subnet": PODS,
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(folder / "addresses"),
        },
    }
