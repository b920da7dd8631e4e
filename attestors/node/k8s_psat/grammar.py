"""The forms of k8s_psat's selectors, named as SPIRE's (PN-02)."""

from typing import Final

from attestors.contract import SelectorForm, SelectorGrammar
from attestors.node.k8s_psat.payload import NAME

_LABEL: Final = r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9._-]{1,63}:[A-Za-z0-9._-]{0,63}"
_NAMED: Final = r"[a-z0-9.-]{1,253}"
_UID: Final = r"[A-Za-z0-9-]{1,128}"
_REVIEWED: Final = "the API server, which reviewed the token of the agent's pod"
_KUBELET: Final = "the API server, and the node's kubelet, which writes it there"


def _form(
    name: str, value: str, example: str, trusts: str = _REVIEWED, unproven: str = ""
) -> SelectorForm:
    return SelectorForm(name, f"{name}:{value}", f"{NAME}:{name}:{example}", trusts, unproven)


GRAMMAR: Final = SelectorGrammar(
    NAME,
    (
        _form(
            "cluster",
            r"[A-Za-z0-9._-]{1,128}",
            "demo",
            "this server's settings: the token was accepted by the cluster of that name",
        ),
        _form("agent_ns", _NAMED, "finial"),
        _form("agent_sa", _NAMED, "finial-agent"),
        _form("agent_pod_name", _NAMED, "finial-agent-x7k2p"),
        _form("agent_pod_uid", _UID, "1f3c8b52-9a3e-4a55-8a0c-0b8e4b1a2c3d"),
        _form(
            "agent_pod_label",
            _LABEL,
            "app:finial-agent",
            _REVIEWED,
            "whoever may change the pod chooses its labels",
        ),
        _form("agent_node_ip", r"[0-9a-fA-F.:]{2,45}", "192.0.2.7", _KUBELET),
        _form("agent_node_name", _NAMED, "worker-1"),
        _form("agent_node_uid", _UID, "5b0f8f0e-2f5e-4a43-bb0b-3a3c2f1d0e9a"),
        _form(
            "agent_node_label",
            _LABEL,
            "node-role:edge",
            _KUBELET,
            "a kubelet chooses its own node's labels, but for those under "
            "node-restriction.kubernetes.io",
        ),
    ),
)
