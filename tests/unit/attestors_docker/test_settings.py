"""What an operator may write in the table of the docker attestor."""

from typing import Any

import pytest

from attestors.workload import docker
from attestors.workload.docker.settings import Settings, socket_path
from finial.runtime.settings import SettingsError, load

WHERE = "plugins.workload_attestor.docker"


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"docker_socket_path": "unix:///run/docker.sock", "podman_socket_path": ""},
        {"docker_socket_path": "/run/docker.sock", "docker_version": "1.44"},
        {"podman_sockets": {"1000": "unix:///run/user/1000/podman/podman.sock"}},
        {"env": True},
        {"env": ["TIER", "ZONE"], "merge_image_labels": True, "timeout": "500ms"},
    ],
)
def test_what_is_taken(table: dict[str, Any]) -> None:
    """SPIRE's names, and ours; an attestor can be made of each."""
    attestor = docker.create(load(Settings, table, WHERE))
    assert attestor.name == "docker"


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"docker_socket_path": "tcp://127.0.0.1:2375"}, "is no path of a socket"),
        ({"podman_socket_path": "podman.sock"}, "is no path of a socket"),
        ({"podman_sockets": {"web": "/run/x"}}, "for each uid but root"),
        ({"podman_sockets": {"0": "/run/x"}}, "for each uid but root"),
        ({"podman_sockets": {"²": "/run/x"}}, "for each uid but root"),
        ({"podman_sockets": {"4294967295": "/run/x"}}, "for each uid but root"),
        ({"podman_sockets": {"1000": "run/x"}}, "podman_sockets.1000 is no path"),
        ({"podman_sockets": {"1000": 5}}, "must be a text"),
        ({"docker_version": "1.44/../.."}, "is no version"),
        ({"env": "TIER"}, "env is a text"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 600}, "timeout"),
        ({"docker_sock_path": "/x"}, "did you mean docker_socket_path"),
    ],
)
def test_what_is_refused(table: dict[str, Any], fault: str) -> None:
    """Each with the key and what is wrong."""
    with pytest.raises(SettingsError, match=fault):
        load(Settings, table, WHERE)


def test_the_path_of_an_address() -> None:
    """With SPIRE's scheme or without."""
    assert socket_path("unix:///run/x.sock") == socket_path("/run/x.sock") == "/run/x.sock"
