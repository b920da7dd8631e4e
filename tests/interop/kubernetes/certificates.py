"""The certificates of a cluster, made by openssl: whoever reads them is not what made them."""

import subprocess
from ipaddress import ip_network
from pathlib import Path


def make_certificates(folder: Path, address: str, services: str, node: str) -> None:
    """Make a CA, a key for service accounts, and a certificate for everybody."""
    _openssl("genrsa", "-out", folder / "accounts.key", "2048")
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=cluster",
        "-keyout", folder / "ca.key", "-out", folder / "ca.crt",
    )  # fmt: skip
    api = ip_network(services)[1]
    names = f"IP:{address},IP:127.0.0.1,IP:{api},DNS:kubernetes.default.svc"
    certify(folder, "apiserver", "/CN=kube-apiserver", names)
    certify(
        folder,
        "kubelet-server",
        f"/O=system:nodes/CN=system:node:{node}",
        f"IP:{address},DNS:{node}",
    )
    certify(folder, "kubelet", f"/O=system:nodes/CN=system:node:{node}")
    certify(folder, "admin", "/O=system:masters/CN=admin")
    certify(folder, "controllers", "/O=system:masters/CN=system:kube-controller-manager")
    certify(folder, "scheduler", "/CN=system:kube-scheduler")
    certify(folder, "proxy", "/CN=system:kube-proxy")


def certify(folder: Path, name: str, subject: str, names: str = "DNS:localhost") -> None:
    """Make a key and a certificate that the cluster's CA signed."""
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\n")
    _openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", subject
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-days", "30", "-out", certificate, "-extfile", extensions,
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
