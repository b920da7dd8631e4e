"""How the kubelet is reached, and who we are to it."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from finial.runtime.clock import SystemClock
from finial.runtime.duration import Duration
from finial.runtime.settings import at_least, between, setting

if TYPE_CHECKING:
    from attestors.kubernetes.materials import Access
    from attestors.workload.k8s.attestor import K8sAttestor

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
DEFAULT_PORT: Final = 10250


@dataclass(frozen=True, slots=True)
class Settings:
    """Named as in SPIRE, but for `node_address_env`.

    The kubelet's secure port is asked, 10250 by default, unless a read-only port is named, where
    nobody is verified. The node's address comes from the variable that `node_address_env` names,
    else its name from `node_name` or the variable of `node_name_env`; without either it is
    127.0.0.1, where the certificate has to be for this machine's name. We show the token
    of `token_path`, or a client certificate if one is named. Files are read again each minute.

    A new pod is looked for `max_poll_attempts` times, one `poll_retry_interval` apart, which is
    also how long a list of pods is used for.
    """

    kubelet_secure_port: int = setting(0, check=between(0, 65_535))
    kubelet_read_only_port: int = setting(0, check=between(0, 65_535))
    kubelet_ca_path: str = f"{ACCOUNT}/ca.crt"
    skip_kubelet_verification: bool = False
    token_path: str = f"{ACCOUNT}/token"
    certificate_path: str = ""
    private_key_path: str = ""
    use_anonymous_authentication: bool = False
    node_address_env: str = "MY_NODE_ADDRESS"
    node_name_env: str = "MY_NODE_NAME"
    node_name: str = ""
    max_poll_attempts: int = setting(60, check=at_least(1))
    poll_retry_interval: Duration = setting(0.5, check=between(0.05, 60))
    disable_container_selectors: bool = False

    def __post_init__(self) -> None:
        if self.kubelet_secure_port and self.kubelet_read_only_port:
            raise ValueError("kubelet_secure_port and kubelet_read_only_port are both given")
        if self.private_key_path and not self.certificate_path:
            raise ValueError("private_key_path is given without certificate_path")
        if self.use_anonymous_authentication and self.certificate_path:
            raise ValueError("use_anonymous_authentication and certificate_path are both given")


def access(settings: Settings, environ: Mapping[str, str], hostname: str) -> "Access":
    """Say how the kubelet is reached from a machine of that name."""
    from attestors.kubernetes.materials import Access

    name = settings.node_name or environ.get(settings.node_name_env, "")
    host = environ.get(settings.node_address_env, "") or name
    named = f"[{host}]" if ":" in host else host or "127.0.0.1"
    if settings.kubelet_read_only_port:
        # Whoever has this port gets no token.
        return Access(f"http://{named}:{settings.kubelet_read_only_port}")
    by_token = not (settings.certificate_path or settings.use_anonymous_authentication)
    return Access(
        f"https://{named}:{settings.kubelet_secure_port or DEFAULT_PORT}",
        ca_path=settings.kubelet_ca_path,
        server_name="" if host else hostname,
        insecure=settings.skip_kubelet_verification,
        token_path=settings.token_path if by_token else "",
        certificate_path=settings.certificate_path,
        private_key_path=settings.private_key_path,
    )


def create(settings: Settings) -> "K8sAttestor":
    """Make the attestor; the kubelet is not asked yet."""
    from attestors.kubernetes.endpoint import Endpoint
    from attestors.workload.k8s.attestor import K8sAttestor
    from attestors.workload.k8s.kubelet import Kubelet

    clock = SystemClock()
    endpoint = Endpoint("the kubelet", access(settings, os.environ, socket.gethostname()), clock)
    kubelet = Kubelet(endpoint, clock, settings.poll_retry_interval)
    return K8sAttestor(settings, kubelet, clock)
