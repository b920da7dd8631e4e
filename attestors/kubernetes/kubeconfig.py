"""Where a cluster's API is: as Kubernetes tells every pod, or as a kubeconfig says.

A kubeconfig is read as JSON, which `kubectl config view --raw --minify -o json` writes: a parser of
YAML is more than three values are worth. Programs that fetch credentials are not run.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attestors.kubernetes.materials import Access
from finial.spiffe.json.strict_json import loads_object
from finial.spiffe.refusal import Kind, Refusal

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
AS_JSON: Final = "kubectl config view --raw --minify -o json"
MAX_BYTES: Final = 1024 * 1024

_UNSUPPORTED: Final = ("exec", "auth-provider", "username", "password", "as")


def in_cluster(environ: Mapping[str, str], account: str = ACCOUNT) -> Access:
    """Read what Kubernetes gives each pod: two variables and the service account's folder.

    Raises: Refusal of kind PRECONDITION: this is no pod.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise Refusal(
            Kind.PRECONDITION,
            "this process is in no cluster: KUBERNETES_SERVICE_HOST is not set",
            field="kube_config_file",
            remedy=f"name a kube_config_file, made by: {AS_JSON}",
        )
    named = f"[{host}]" if ":" in host else host
    return Access(
        f"https://{named}:{port}", ca_path=f"{account}/ca.crt", token_path=f"{account}/token"
    )


def from_file(path: str) -> Access:
    """Read a kubeconfig's current context.

    Raises: Refusal of kind PRECONDITION.
    """
    try:
        content = Path(path).read_bytes()
        config = loads_object(content, max_bytes=MAX_BYTES)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    except Refusal:
        raise _unusable(path, "is not JSON") from None
    folder = Path(path).parent
    context = _named(path, config, "contexts", "context", config.get("current-context"))
    cluster = _Part(
        path, folder, _named(path, config, "clusters", "cluster", context.get("cluster"))
    )
    user = _Part(path, folder, _named(path, config, "users", "user", context.get("user")))
    for member in _UNSUPPORTED:
        if user.text_or_table(member):
            raise _unusable(path, f"has {member!r} for the user, which is not supported")
    return Access(
        cluster.text("server").rstrip("/"),
        ca_path=cluster.file("certificate-authority"),
        ca_pem=cluster.pem("certificate-authority-data"),
        server_name=cluster.text("tls-server-name"),
        insecure=cluster.members.get("insecure-skip-tls-verify") is True,
        token_path=user.file("tokenFile"),
        token=user.text("token"),
        certificate_path=user.file("client-certificate"),
        private_key_path=user.file("client-key"),
        certificate_pem=user.pem("client-certificate-data"),
        private_key_pem=user.pem("client-key-data"),
    )


class _Part:
    """The cluster or the user of a kubeconfig."""

    def __init__(self, path: str, folder: Path, members: Mapping[str, object]) -> None:
        self.members = members
        self._path = path
        self._folder = folder

    def text(self, name: str) -> str:
        """Return a text, or an empty one."""
        value = self.members.get(name, "")
        if isinstance(value, str):
            return value
        raise _unusable(self._path, f"has a {name} that is no text")

    def text_or_table(self, name: str) -> bool:
        """Whether there is anything."""
        return bool(self.members.get(name))

    def file(self, name: str) -> str:
        """Return a path; one that is not absolute begins at the kubeconfig's folder."""
        value = self.text(name)
        return str(self._folder / value) if value else ""

    def pem(self, name: str) -> str:
        """Return what is written in base64 as text."""
        try:
            return base64.b64decode(self.text(name), validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            raise _unusable(self._path, f"has {name} that is no PEM in base64") from None


def _named(
    path: str, config: Mapping[str, object], many: str, one: str, name: object
) -> Mapping[str, object]:
    entries = config.get(many)
    for each in entries if isinstance(entries, list) else ():
        if isinstance(each, dict) and each.get("name") == name:
            found = each.get(one)
            return found if isinstance(found, dict) else {}
    raise _unusable(path, f"has no {one} called {str(name)[:80]!r}")


def _unusable(path: str, fault: str) -> Refusal:
    return Refusal(
        Kind.PRECONDITION,
        f"the kubeconfig {path} {fault}",
        field="kube_config_file",
        value=path,
        remedy=f"make it by: {AS_JSON}",
    )
