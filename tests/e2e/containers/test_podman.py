"""Containers of a real Podman, root's and a user's own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from attestors.contract import Attested, Failed, NotApplicable
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector
from tests.conftest import Requirements
from tests.doubles.podman import PodmanEngine, RootlessPodman, podman, rootless_podman
from tests.doubles.programs import short_folder
from tests.e2e.containers.place import attested, identities, place_with

pytestmark = [pytest.mark.root, pytest.mark.slow]

LABEL = Selector("docker", "label:app:web")


@pytest.fixture(scope="module")
def roots() -> Iterator[PodmanEngine]:
    with podman(Requirements()) as engine:
        yield engine


@pytest.fixture(scope="module")
def users() -> Iterator[RootlessPodman]:
    """A user's engine, with a cgroup that was delegated to the user."""
    with rootless_podman(Requirements(), delegated=True) as engine:
        yield engine


def test_a_workload_of_roots_podman_gets_its_identity(roots: PodmanEngine) -> None:
    """QW-03: Podman is asked where the cgroup is named as Podman names it."""
    sockets = {"docker_socket_path": "", "podman_socket_path": str(roots.socket)}
    with short_folder() as folder, place_with(roots, folder, sockets) as place:
        place.register("/web", "docker:label:app:web", "docker:engine_uid:0")
        assert identities(place.start(labels={"app": "web"})) == ["/web"]
        place.clear()


def test_roots_podman_tells_what_the_image_brought(roots: PodmanEngine) -> None:
    """Labels of an image are the image's with Podman too."""
    roots.image("labelled:1", labels={"app": "web"})
    container = roots.start(image="localhost/labelled:1", labels={"ours": "yes"})
    found = asyncio.run(attested(container.pid, podman_socket_path=str(roots.socket)))
    assert isinstance(found, Attested)
    values = {each.value for each in found.selectors}
    assert {"label:ours:yes", "image_label:app:web"} <= values
    assert "label:app:web" not in values
    assert "image_name:localhost/labelled:1" in values


def test_a_podman_that_does_not_serve_is_away(roots: PodmanEngine) -> None:
    """Docker is not asked for a container of Podman's, nor is it taken for no container."""
    container = roots.start(labels={"app": "web"})
    nowhere = f"{roots.folder}/nothing.sock"
    found = asyncio.run(attested(container.pid, podman_socket_path=nowhere))
    assert isinstance(found, Failed)
    assert found.kind is Kind.UNAVAILABLE


def test_a_users_container_is_told_by_the_engine_named_for_the_user(users: RootlessPodman) -> None:
    """The operator named the socket for that uid; the engine's uid is a selector."""
    container = users.start(labels={"app": "web"})
    found = asyncio.run(attested(container.pid, podman_sockets={str(users.uid): str(users.socket)}))
    assert isinstance(found, Attested)
    assert LABEL in found.selectors
    assert Selector("docker", f"engine_uid:{users.uid}") in found.selectors
    assert Selector("docker", "engine_uid:0") not in found.selectors


def test_an_agent_knows_a_users_container_by_its_settings(users: RootlessPodman) -> None:
    """The table names one socket for each uid; explain says which engine told."""
    container = users.start(labels={"app": "web"})
    table = {
        "docker_socket_path": "",
        "podman_sockets": {str(users.uid): f"unix://{users.socket}"},
    }
    with short_folder() as folder, place_with(users, folder, table) as place:
        place.register("/web", "docker:label:app:web", f"docker:engine_uid:{users.uid}")
        said = place.explain(container.pid)
    assert [each["spiffe_id"] for each in said["matches"]] == ["spiffe://example.org/web"]
    assert f"the engine of uid {users.uid}" in str(said["attestors"])


def test_a_users_engine_is_not_asked_unless_it_is_named(users: RootlessPodman) -> None:
    """A socket that the workload's user owns is never dialled of our own accord."""
    container = users.start(labels={"app": "web"})
    found = asyncio.run(attested(container.pid))
    assert isinstance(found, NotApplicable)
    assert f"namespaces of uid {users.uid}" in found.why


def test_a_users_engine_speaks_for_that_user_alone(
    users: RootlessPodman, roots: PodmanEngine
) -> None:
    """A user's socket that is named for another uid, or as root's, is not asked either."""
    container = users.start(labels={"app": "web"})
    other = asyncio.run(attested(container.pid, podman_sockets={"61234": str(users.socket)}))
    assert isinstance(other, NotApplicable)
    asked = asyncio.run(attested(container.pid, docker_socket_path=str(users.socket)))
    assert isinstance(asked, Failed)
    assert f"belongs to uid {users.uid}" in asked.detail
    root_owned = roots.start(labels={"app": "web"})
    sockets = {str(users.uid): str(users.socket)}
    found = asyncio.run(attested(root_owned.pid, podman_sockets=sockets))
    assert isinstance(found, NotApplicable)


def test_a_user_in_anothers_cgroup_name_is_not_in_it(
    users: RootlessPodman, roots: PodmanEngine
) -> None:
    """A user's engine that runs a container under the name of root's gives nobody that one."""
    victim = roots.start(labels={"app": "victim"})
    parent = f"/{users.slice}/libpod_parent"
    container = users.start(
        labels={"app": "web"}, flags=[f"--cgroup-parent={parent}/libpod-{victim.id}"]
    )
    cgroups = Path(f"/proc/{container.pid}/cgroup").read_text()
    assert victim.id in cgroups
    sockets = {str(users.uid): str(users.socket)}
    found = asyncio.run(
        attested(container.pid, podman_socket_path=str(roots.socket), podman_sockets=sockets)
    )
    victims = Selector("docker", "label:app:victim")
    assert not isinstance(found, Attested) or victims not in found.selectors


def test_a_container_without_a_cgroup_is_no_container() -> None:
    """Where rootless containers get no cgroup of their own nobody guesses which one it is."""
    with rootless_podman(Requirements(), delegated=False) as engine:
        container = engine.start(labels={"app": "web"})
        sockets = {str(engine.uid): str(engine.socket)}
        found = asyncio.run(attested(container.pid, podman_sockets=sockets))
    assert isinstance(found, NotApplicable)
    assert "names a container" in found.why
