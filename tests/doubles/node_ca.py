"""A CA of nodes and a node's certificate, for agents that join by x509pop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.up.node_certificate import prepare
from finial.runtime.entropy import SystemEntropy


@dataclass(frozen=True)
class NodeCa:
    """The tables of server and agent that let a node join by its certificate, again and again."""

    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> "NodeCa":
        folder.mkdir()
        prepare(folder, SystemEntropy())
        return cls(folder)

    @property
    def server(self) -> dict[str, Any]:
        table = {
            "ca_bundle_path": str(self.folder / "ca.pem"),
            "agent_path_template": "/x509pop/{subject_cn}",
        }
        return {"node_attestor": {"join_token": {}, "x509pop": table}}

    @property
    def agent(self) -> dict[str, Any]:
        table = {
            "private_key_path": str(self.folder / "node.key"),
            "certificate_path": str(self.folder / "node.pem"),
        }
        return {"node_attestor": {"x509pop": table}}
