"""The settings of the k8s attestor: where the kubelet is, and who we are to it."""

from typing import Any

import pytest

from attestors.workload.k8s import create
from attestors.workload.k8s.settings import Settings, access
from finial.runtime.settings import SettingsError, load


@pytest.mark.parametrize(
    ("settings", "environ", "url"),
    [
        (Settings(), {}, "https://127.0.0.1:10250"),
        (Settings(), {"MY_NODE_NAME": "n1"}, "https://n1:10250"),
        (
            Settings(),
            {"MY_NODE_NAME": "n1", "MY_NODE_ADDRESS": "10.0.0.1"},
            "https://10.0.0.1:10250",
        ),
        (Settings(), {"MY_NODE_ADDRESS": "fd00::1"}, "https://[fd00::1]:10250"),
        (Settings(node_name="n2", kubelet_secure_port=1), {"MY_NODE_NAME": "n1"}, "https://n2:1"),
        (Settings(kubelet_read_only_port=10255), {}, "http://127.0.0.1:10255"),
    ],
)
def test_the_kubelet_is_found_by_address_or_name(
    settings: Settings, environ: dict[str, str], url: str
) -> None:
    """By the node's address, then its name, then this host (QW-02)."""
    found = access(settings, environ, "here")
    assert found.url == url
    assert found.server_name == ("here" if url == "https://127.0.0.1:10250" else "")


def test_who_we_are_is_one_thing() -> None:
    """A token, a certificate, or nobody; the read-only port is never sent a token (QW-02)."""
    assert access(Settings(), {}, "").token_path
    assert not access(Settings(kubelet_read_only_port=1), {}, "").token_path
    assert not access(Settings(use_anonymous_authentication=True), {}, "").token_path
    by_certificate = access(Settings(certificate_path="c", private_key_path="k"), {}, "")
    assert not by_certificate.token_path
    assert (by_certificate.certificate_path, by_certificate.private_key_path) == ("c", "k")


@pytest.mark.parametrize(
    "table",
    [
        {"kubelet_secure_port": 1, "kubelet_read_only_port": 2},
        {"private_key_path": "k"},
        {"use_anonymous_authentication": True, "certificate_path": "c"},
        {"max_poll_attempts": 0},
        {"poll_retry_interval": "0s"},
        {"kubelet_secure_port": 65_536},
    ],
)
def test_settings_that_contradict_each_other_are_refused(table: dict[str, Any]) -> None:
    """A configuration that cannot work is said at the start."""
    with pytest.raises(SettingsError):
        load(Settings, table, "plugins.workload_attestor.k8s")


def test_a_kubelet_is_not_asked_before_somebody_calls() -> None:
    """Making the attestor reads no file and opens no connection."""
    assert create(Settings()).name == "k8s"
