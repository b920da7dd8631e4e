"""A cluster of one node, of the real programs: etcd, API server, controllers, scheduler, kubelet.

All of it lives in namespaces of its own for mounts, processes and the network, so that nothing
outside is changed but the cgroups of pods, which are removed. When its first process ends, so does
everything in it, containers too. Pods have addresses of their own, and services work, by name too.
Needs root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.doubles.programs import eventually
from tests.interop.kubernetes import configuration
from tests.interop.kubernetes.certificates import make_certificates
from tests.interop.kubernetes.configuration import ADDRESS, NODE, SERVICES

SYSCTLS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

# The first process of the namespaces: it prepares them, says so, and then reaps orphans.
KEEPER: Final = """
set -e
mount -t proc proc /proc
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
for file in "$1"/sysctls/*; do
    mount --bind "$file" "/proc/sys/$(basename "$file" | tr . /)"
done
ip link set lo up
ip link add outer type veth peer name inner
ip addr add {address}/24 dev outer
ip link set inner up
ip link set outer up
ip route add default dev outer
echo ready
while :; do sleep 1000 & wait $! || true; done
"""

# Without CAP_SYS_RESOURCE nobody may protect a process from the kernel's hunger for memory.
RUNC: Final = """#!/bin/sh
case " $* " in *" create "*)
    bundle=.
    previous=""
    for each in "$@"; do
        [ "$previous" != --bundle ] || bundle=$each
        previous=$each
    done
    sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$bundle/config.json" ;;
esac
exec {runc} "$@"
"""


class Cluster:
    """The cluster; `build` is the folder with the programs, `folder` is for this run alone."""

    def __init__(self, build: Path, folder: Path) -> None:
        self.build = build
        self.folder = folder
        self._keeper: subprocess.Popen[str] | None = None
        self._inside: tuple[str, ...] = ()
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def run(
        self, *command: str | Path, check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the cluster's namespaces, to its end."""
        done = subprocess.run(
            [*self._inside, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 300),
            check=False,
            env={**os.environ, "DOCKER_HOST": f"unix://{self.folder}/docker.sock"},
            **options,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout[-2000:]}{done.stderr}"
        return done

    def kubectl(self, *arguments: str, check: bool = True, **options: Any) -> str:
        """Run kubectl as the cluster's administrator."""
        kubeconfig = f"--kubeconfig={self.folder}/admin.json"
        done = self.run(self.build / "bin/kubectl", kubeconfig, *arguments, check=check, **options)
        return done.stdout if check else done.stdout + done.stderr

    def get(self, *arguments: str) -> Any:
        """Return objects of the API."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def docker(self, *arguments: str, **options: Any) -> str:
        """Run the engine's client."""
        return self.run("docker", *arguments, **options).stdout

    def file(self, name: str) -> str:
        """A file of the cluster, such as `pki/ca.crt`."""
        return str(self.folder / name)

    def start(self) -> None:
        """Start everything and wait until the node is ready."""
        for name in ("pki", "sysctls", "logs", "cni", "bin"):
            (self.folder / name).mkdir()
        make_certificates(self.folder / "pki", ADDRESS, SERVICES, NODE)
        self._keep()
        self._start_control_plane()
        self._start_engine()
        self._start_node()
        self.await_node()

    def await_node(self) -> None:
        """Wait until the node is ready."""
        eventually(self._is_ready, 120, f"the node is ready; see {self.folder}/logs")

    def _is_ready(self) -> bool:
        for name, program in self._programs.items():
            assert program.poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        template = '{.status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl("get", "node", NODE, f"-o=jsonpath={template}", check=False) == "True"

    def log(self, name: str) -> str:
        """What a program of the cluster said."""
        return (self.folder / "logs" / name).read_text(errors="replace")

    def stop(self) -> None:
        """End everything; the pods' cgroups are removed."""
        if self._keeper is not None:
            # Not SIGTERM: an init of a namespace ignores what it does not handle.
            self._keeper.send_signal(signal.SIGKILL)
            self._keeper.wait()
        for program in self._programs.values():
            program.wait()
        eventually(_no_cgroups_of_pods, 30, "the cgroups of pods are removed")

    def kill(self, name: str) -> None:
        """End one program without a word."""
        self._programs.pop(name).kill()
        self.run("pkill", "-KILL", "-x", name)

    def end(self, name: str) -> None:
        """End one program as the system would."""
        program = self._programs.pop(name)
        self.run("pkill", "-TERM", "-x", name, check=False)
        program.terminate()
        program.wait()

    def _keep(self) -> None:
        for name, value in SYSCTLS.items():
            (self.folder / "sysctls" / name.replace("/", ".")).write_text(value)
        flags = ["--mount", "--net", "--pid", "--uts", "--fork", "--kill-child"]
        script = KEEPER.replace("{address}", ADDRESS)
        self._keeper = subprocess.Popen(
            ["unshare", *flags, "--propagation=private", "sh", "-c", script, "sh", self.folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
        target = f"--target={children.read_text().split()[0]}"
        self._inside = ("nsenter", target, "--mount", "--net", "--pid", "--uts", "--")

    def serve(self, name: str, *command: str | Path) -> None:
        """Start a program that stays."""
        with (self.folder / "logs" / name).open("ab") as log:
            self._programs[name] = subprocess.Popen(
                [*self._inside, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def _start_control_plane(self) -> None:
        urls = ["http://127.0.0.1:2379", "http://127.0.0.1:2380"]
        self.serve(
            "etcd", "etcd", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync",
            f"--listen-client-urls={urls[0]}", f"--advertise-client-urls={urls[0]}",
            f"--listen-peer-urls={urls[1]}", f"--initial-advertise-peer-urls={urls[1]}",
            f"--initial-cluster=default={urls[1]}", "--log-level=error",
        )  # fmt: skip
        pki = self.folder / "pki"
        self.serve(
            "kube-apiserver", self.build / "bin/kube-apiserver", f"--etcd-servers={urls[0]}",
            f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", "--secure-port=6443",
            f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={pki}/ca.crt", "--authorization-mode=Node,RBAC",
            f"--cert-dir={self.folder}/apiserver", f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={pki}/accounts.key",
            f"--service-account-key-file={pki}/accounts.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            f"--kubelet-client-certificate={pki}/admin.crt",
            f"--kubelet-client-key={pki}/admin.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
        )  # fmt: skip
        for name in ("admin", "controllers", "scheduler", "kubelet", "proxy"):
            config = configuration.kubeconfig(
                pki / "ca.crt", pki / f"{name}.crt", pki / f"{name}.key"
            )
            (self.folder / f"{name}.json").write_text(json.dumps(config))
        ready = eventually(lambda: self.kubectl("get", "--raw=/readyz", check=False) == "ok", 60)
        assert ready
        self.serve(
            "kube-controller-manager", self.build / "bin/kube-controller-manager",
            f"--kubeconfig={self.folder}/controllers.json", "--leader-elect=false", "--port=0",
            f"--service-account-private-key-file={pki}/accounts.key",
            f"--root-ca-file={pki}/ca.crt", f"--cert-dir={self.folder}/controllers",
            "--bind-address=127.0.0.1",
        )  # fmt: skip
        self.serve(
            "kube-scheduler", self.build / "bin/kube-scheduler", "--leader-elect=false",
            f"--kubeconfig={self.folder}/scheduler.json", "--port=0", "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder}/scheduler",
        )  # fmt: skip

    def _start_engine(self) -> None:
        wrapper = self.folder / "bin/runc"
        wrapper.write_text(RUNC.replace("{runc}", str(shutil.which("runc"))))
        wrapper.chmod(0o755)
        self.serve(
            "dockerd", "dockerd", f"--data-root={self.folder}/docker",
            f"--exec-root={self.folder}/docker-exec", f"--pidfile={self.folder}/dockerd.pid",
            f"--host=unix://{self.folder}/docker.sock", "--bridge=none", "--iptables=false",
            "--ip6tables=false", "--ip-masq=false", f"--config-file={self.folder}/daemon.json",
            f"--add-runtime=wrapped={wrapper}", "--default-runtime=wrapped",
        )  # fmt: skip
        (self.folder / "daemon.json").write_text("{}")
        eventually(lambda: self.run("docker", "version", check=False).returncode == 0)

    def _start_node(self) -> None:
        (self.folder / "cni/pods.conf").write_text(
            json.dumps(configuration.pod_network(self.folder))
        )
        (self.folder / "kubelet.yaml").write_text(
            json.dumps(configuration.kubelet(self.folder / "pki"))
        )
        (self.folder / "proxy.yaml").write_text(json.dumps(configuration.proxy(self.folder)))
        self.start_kubelet()
        self.serve(
            "kube-proxy", self.build / "bin/kube-proxy", f"--config={self.folder}/proxy.yaml"
        )

        names = Path(__file__).with_name("names.py")
        kubectl = (self.build / "bin/kubectl", self.folder / "admin.json")
        self.serve("names", "/usr/bin/python3", names, ADDRESS, *kubectl)

    def start_kubelet(self) -> None:
        """Start the kubelet, also after it was killed."""
        self.serve(
            "kubelet", self.build / "bin/kubelet", f"--config={self.folder}/kubelet.yaml",
            f"--kubeconfig={self.folder}/kubelet.json", f"--root-dir={self.folder}/kubelet",
            f"--docker-endpoint=unix://{self.folder}/docker.sock", "--container-runtime=docker",
            "--pod-infra-container-image=pause:local", f"--hostname-override={NODE}",
            f"--node-ip={ADDRESS}", f"--volume-plugin-dir={self.folder}/volume-plugins",
            "--network-plugin=cni", f"--cni-conf-dir={self.folder}/cni",
            "--cni-bin-dir=/usr/lib/cni", f"--cni-cache-dir={self.folder}/cni-cache",
        )  # fmt: skip


@contextlib.contextmanager
def cluster(build: Path) -> Iterator[Cluster]:
    """Run a cluster until the tests are done with it."""
    folder = Path(tempfile.mkdtemp(prefix="finial-k8s-"))
    folder.chmod(0o755)
    assert _no_cgroups_of_pods(), "this machine has pods already"
    made = Cluster(build, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _no_cgroups_of_pods() -> bool:
    """Remove what is left of pods that are gone; whether nothing is."""
    for root in _pod_cgroups():
        for folder, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    return not _pod_cgroups()


def _pod_cgroups() -> Sequence[Path]:
    top = Path("/sys/fs/cgroup")
    return [each for each in (top / "kubepods", *top.glob("*/kubepods")) if each.exists()]
