"""SPIRE's own programs in the same cluster: both sides of k8s_psat, and the selectors of a pod.

`make test-k8s SPIRE_AGENT=... SPIRE_SERVER=...` runs them too.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.doubles.programs import ROOT, eventually
from tests.interop.kubernetes.answers import AUDIENCE, Asker
from tests.interop.kubernetes.configuration import ADDRESS, NODE
from tests.interop.kubernetes.workloads import pod_of
from tests.interop.kubernetes.world import World, explained_process, identities

AGENT = os.environ.get("SPIRE_AGENT", "")
SERVER = os.environ.get("SPIRE_SERVER", "")
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (AGENT and SERVER and "K8S_BUILD" in os.environ),
        reason="SPIRE_AGENT, SPIRE_SERVER and K8S_BUILD are not set; run: make test-k8s SPIRE_AGENT=... SPIRE_SERVER=...",
    ),
]

AGENT_CONF = """
agent {{
  data_dir = "{folder}"
  log_level = "DEBUG"
  server_address = "{server}"
  server_port = "8081"
  socket_path = "/run/finial/workload/spire.sock"
  trust_domain = "example.org"
  trust_bundle_path = "{folder}/bundle.pem"
}}
plugins {{
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "k8s_psat" {{ plugin_data {{ cluster = "demo" token_path = "{folder}/token" }} }}
  WorkloadAttestor "k8s" {{
    plugin_data {{
      node_name = "{node}"
      kubelet_ca_path = "{pki}/ca.crt"
      certificate_path = "{pki}/admin.crt"
      private_key_path = "{pki}/admin.key"
    }}
  }}
}}
"""
SERVER_CONF = """
server {{
  bind_address = "{address}"
  bind_port = "18081"
  socket_path = "{folder}/server.sock"
  trust_domain = "example.org"
  data_dir = "{folder}"
}}
plugins {{
  DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/db" }} }}
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "k8s_psat" {{
    plugin_data {{
      clusters = {{
        "demo" = {{
          service_account_allow_list = ["finial:finial-agent"]
          audience = ["{audience}"]
          kube_config_file = "{kubeconfig}"
        }}
      }}
    }}
  }}
}}
"""
OUR_AGENT = """
[agent]
trust_domain = "example.org"
server_address = "{address}"
server_port = 18081
data_dir = "{folder}/agent"
trust_bundle_path = "{folder}/bundle.pem"
[plugins.key_manager.memory]
[plugins.node_attestor.k8s_psat]
cluster = "demo"
token_path = "{folder}/token"
"""
SAID = re.compile(r'selectors="\[(.*?)\]"')
ONE = re.compile(r'type:\\"(\w+)\\"\s+value:\\"(.*?)\\"')


def made_folder(world: World, name: str) -> Path:
    folder = world.cluster.folder / name
    folder.mkdir()
    pod = pod_of(world.cluster, "finial-agent", "finial")
    token = Asker(world.cluster).token("finial-agent", "finial", pod)
    (folder / "token").write_text(token)
    return folder


def test_spires_agent_joins_and_finds_the_same_selectors(world: World) -> None:
    """SPIRE's agent is the same agent to our server, and says the same of a pod (QN-02, QW-02)."""
    [before] = world.agents()
    folder = made_folder(world, "spire-agent")
    bundle = world.cluster.get("configmap", "finial-bundle", "--namespace=finial")["data"]
    (folder / "bundle.pem").write_text(bundle["bundle.pem"])
    service = world.cluster.get("service", "finial-server", "--namespace=finial")
    conf = AGENT_CONF.format(
        folder=folder, server=service["spec"]["clusterIP"], node=NODE, pki=world.cluster.file("pki")
    )
    (folder / "agent.conf").write_text(conf)
    world.cluster.run("sh", "-c", f"echo '{ADDRESS} {NODE}' >> {folder}/hosts")
    world.cluster.run("mount", "--bind", str(folder / "hosts"), "/etc/hosts")
    world.cluster.serve("spire-agent", AGENT, "run", "-config", str(folder / "agent.conf"))
    container = world.container_of("web")
    socket = "--socket=unix:///run/finial/workload/spire.sock"
    fetch = ("docker", "exec", container, "finial", "fetch", "x509", "--output=json", socket)
    eventually(
        lambda: world.cluster.run(*fetch, check=False).returncode == 0, 60, "SPIRE's agent serves"
    )
    said = world.cluster.run(*fetch).stdout
    assert "spiffe://example.org/web" in identities(said)
    lines = [each for each in world.cluster.log("spire-agent").splitlines() if "selectors=" in each]
    theirs = {f"{kind}:{value}" for kind, value in ONE.findall(lines[-1])}
    ours = explained_process(world, container)["k8s"]["selectors"]
    assert theirs == set(ours)
    [after] = world.agents()
    assert after["id"] == before["id"]
    assert set(after["selectors"]) == set(before["selectors"])
    world.cluster.end("spire-agent")


def test_our_agent_joins_spires_server(world: World) -> None:
    """SPIRE's server accepts our evidence, and gives the agent the same path (PN-02)."""
    folder = made_folder(world, "spire-server")
    kubeconfig = world.cluster.file("admin.json")
    conf = SERVER_CONF.format(
        address=ADDRESS, folder=folder, audience=AUDIENCE, kubeconfig=kubeconfig
    )
    (folder / "server.conf").write_text(conf)
    world.cluster.serve("spire-server", SERVER, "run", "-config", str(folder / "server.conf"))
    socket = ("-socketPath", str(folder / "server.sock"))
    healthy = lambda: world.cluster.run(SERVER, "healthcheck", *socket, check=False).returncode == 0  # noqa: E731
    eventually(healthy, 60, "SPIRE's server is well")
    shown = world.cluster.run(SERVER, "bundle", "show", *socket).stdout
    (folder / "bundle.pem").write_text(shown)
    (folder / "agent.toml").write_text(OUR_AGENT.format(address=ADDRESS, folder=folder))
    command = (sys.executable, "-m", "cli", "agent", "run", "--config", str(folder / "agent.toml"))
    world.cluster.serve("our-agent", "env", f"PYTHONPATH={ROOT}", *command)

    def joined() -> list[str]:
        listed = world.cluster.run(SERVER, "agent", "list", *socket, "-output", "json").stdout
        return [each["id"]["path"] for each in json.loads(listed)["agents"]]

    assert eventually(joined, 60, "our agent joins") == [world.agent_path()]
    world.cluster.end("our-agent")
    world.cluster.end("spire-server")
