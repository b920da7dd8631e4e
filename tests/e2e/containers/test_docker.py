"""Workloads in containers of a real Docker engine get the identities of their containers."""

import asyncio
import contextlib
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from attestors.contract import Attested
from finial.spiffe.selector import Selector
from tests.doubles.engines import PYTHON, DockerEngine
from tests.doubles.nodes import AgentProgram, closing
from tests.doubles.programs import ROOT, eventually, finial, short_folder
from tests.e2e.containers.place import (
    Place,
    attested,
    hierarchies,
    identities,
    place_with,
    refusal,
)

pytestmark = [pytest.mark.root, pytest.mark.slow]


def test_two_containers_of_one_image_are_told_apart_by_their_labels(place: Place) -> None:
    """QW-03: the same program of the same image is two workloads, through one mounted folder."""
    place.register("/web", "docker:label:app:web")
    place.register("/db", "docker:label:app:db")
    web = place.start(labels={"app": "web"})
    database = place.start(labels={"app": "db"})
    assert identities(web) == ["/web"]
    assert identities(database) == ["/db"]


def test_every_selector_is_worth_an_entry(place: Place) -> None:
    """Names, image, digest and Compose's project and service are as the engine has them."""
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    container = place.start(labels=labels, flags=["--name=shop-web-1"])
    image = container.inspect()["Image"]
    for path, selector in {
        "/name": "container_name:shop-web-1",
        "/image": "image_name:finial-test:1",
        "/reference": "image_id:finial-test:1",
        "/digest": f"image_config_digest:{image}",
        "/project": "compose_project:shop",
        "/service": "compose_service:web",
        "/engine": "engine_uid:0",
    }.items():
        place.register(path, f"docker:{selector}", "unix:uid:0")
    expected = ["/digest", "/engine", "/image", "/name", "/project", "/reference", "/service"]
    assert identities(container) == expected


def test_an_images_label_is_not_the_containers(place: Place) -> None:
    """Whoever builds an image does not choose the identity of what runs it."""
    place.engine.image("impostor:1", labels={"app": "web"})
    place.register("/web", "docker:label:app:web")
    place.register("/image", "docker:image_label:app:web", "docker:label:ours:yes")
    impostor = place.start(image="impostor:1")
    assert "no identity issued" in refusal(impostor)
    said = str(place.explain(impostor.pid))
    assert "docker:image_label:app:web" in said
    ours = place.start(image="impostor:1", labels={"ours": "yes"})
    assert identities(ours) == ["/image"]


def test_an_identity_survives_the_restart_of_its_container(place: Place) -> None:
    """A container that was stopped and started is the same container, another process."""
    place.register("/web", "docker:label:app:web")
    web = place.start(labels={"app": "web"})
    before = web.pid
    assert identities(web) == ["/web"]
    place.engine.run("restart", "--time=0", web.id)
    assert web.pid != before
    assert identities(web) == ["/web"]


def test_a_new_name_is_seen(place: Place, docker: DockerEngine) -> None:
    """A process that comes after a container was renamed has the new name."""
    place.register("/old", "docker:container_name:old")
    place.register("/new", "docker:container_name:new")
    container = place.start(flags=["--name=old"])
    assert identities(container) == ["/old"]
    docker.run("rename", "old", "new")
    assert identities(container) == ["/new"]


def test_the_machines_own_processes_have_no_container(place: Place) -> None:
    """A process outside of containers is attested without them, and no engine is asked."""
    place.register("/host", "unix:uid:0")
    done = place.up.finial("explain", "--pid", str(place.up.process.pid))
    assert "no cgroup of the process names a container" in str(done)


@pytest.mark.parametrize("flags", [["--cgroupns=private"], ["--cgroupns=host"], ["--pid=host"]])
def test_namespaces_make_no_difference(place: Place, flags: list[str]) -> None:
    """What a container sees of itself is not what the kernel tells of it."""
    place.register("/web", "docker:label:app:web")
    assert identities(place.start(labels={"app": "web"}, flags=flags)) == ["/web"]


def test_the_pids_of_another_container_are_not_its_identity(place: Place) -> None:
    """A container that shares another's PID and network namespace is itself all the same."""
    place.register("/web", "docker:label:app:web")
    place.register("/side", "docker:label:app:side")
    web = place.start(labels={"app": "web"})
    shared = [f"--pid=container:{web.id}", f"--network=container:{web.id}"]
    assert identities(place.start(labels={"app": "side"}, flags=shared)) == ["/side"]


def test_other_users_of_a_container_are_of_it_too(place: Place) -> None:
    """The user inside is the kernel's to tell, and the container is the same."""
    place.register("/web", "docker:label:app:web", "unix:uid:1000")
    web = place.start(labels={"app": "web"}, flags=["--user=1000:1000"])
    assert identities(web) == ["/web"]


def test_an_engine_that_is_killed_takes_no_identity_along(
    place: Place, docker: DockerEngine
) -> None:
    """A workload that was attested goes on; a new one waits for the engine, in bounded time."""
    place.register("/web", "docker:label:app:web")
    said = place.up.folder.parent / "said"
    said.mkdir()
    program = [PYTHON, "-m", "tests.e2e.containers.insistent", "/said/lines"]
    flags = [f"--volume={said}:/said", f"--env=PYTHONPATH={ROOT}"]
    place.start(*program, labels={"app": "web"}, flags=flags)

    def newest(old: str, new: str, after: int = 0) -> int | None:
        lines = (said / "lines").read_text().splitlines() if (said / "lines").exists() else []
        for number, line in enumerate(lines[after:], after):
            if line.startswith(f"old {old} new {new}"):
                assert float(line.split()[-1]) < 10
                return number + 1
        return None

    first = eventually(lambda: newest("/web", "/web"))
    docker.kill()
    try:
        second = eventually(lambda: newest("/web", "UNAVAILABLE", first))
    finally:
        docker.serve()
    eventually(lambda: newest("/web", "/web", second))


def test_an_engine_that_is_away_costs_what_was_configured(docker: DockerEngine) -> None:
    """The other attestors' selectors count, or, where docker is required, the caller waits."""
    table = {"docker_socket_path": "/run/finial/nothing.sock", "podman_socket_path": ""}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        place = stack.enter_context(place_with(docker, folder, table))
        stack.callback(place.clear)
        join = folder / "join"
        join.write_text(place.up.finial("token", "create")["join"])
        attestors = {"workload_attestor": {"unix": {}, "docker": table}}
        required = {"required_workload_attestors": ["docker"]}
        strict = AgentProgram(folder / "strict", required, attestors, join=join)
        stack.enter_context(closing(strict))
        agent_id = strict.begin().agent_id
        place.register("/web", "unix:uid:0")
        entry = ["--spiffe-id=spiffe://example.org/strict", f"--parent={agent_id}"]
        place.up.finial("entry", "create", *entry, "--selector=unix:uid:0")
        container = place.start(flags=[f"--volume={folder}/strict/workload:/run/strict:ro"])
        assert identities(container) == ["/web"]
        said = refusal(container, "--socket=unix:///run/strict/workload.sock")
        assert "docker failed" in said
        process = container.pid
        refused = finial(
            "explain", "--pid", str(process), "--admin-socket", f"unix://{strict.operator_socket}"
        )
        assert "No such file or directory" in refused.stdout


def test_a_container_that_left_its_cgroup_is_known_by_its_namespaces(place: Place) -> None:
    """BW-02: mounts that only root can have made say whom to ask about, namespaces prove it."""
    place.register("/web", "docker:label:app:web")
    web = place.start(labels={"app": "web"})
    moved = web.pid
    for hierarchy in hierarchies():
        (hierarchy / "cgroup.procs").write_text(str(moved))
    assert web.id not in Path(f"/proc/{moved}/cgroup").read_text()
    said = place.explain(moved)
    assert [each["spiffe_id"] for each in said["matches"]] == ["spiffe://example.org/web"]


def test_an_agent_without_roots_rights_asks_roots_engine(place: Place) -> None:
    """An agent in the engine's group sees cgroups, though not other people's namespaces."""
    web = place.start(labels={"app": "web"})
    place.engine.socket.chmod(0o666)
    socket = str(place.engine.socket)

    def asked(pid: int, said: Any) -> None:
        os.setgroups([])
        os.setgid(61_234)
        os.setuid(61_234)
        said.send(asyncio.run(attested(pid, docker_socket_path=socket)))

    receiving, sending = multiprocessing.Pipe(duplex=False)
    # Before the rights are gone: what the attestor imports late lies where they may be needed.
    assert isinstance(asyncio.run(attested(web.pid, docker_socket_path=socket)), Attested)
    child = multiprocessing.get_context("fork").Process(target=asked, args=(web.pid, sending))
    child.start()
    sending.close()
    found = receiving.recv()
    child.join(20)
    assert isinstance(found, Attested)
    assert Selector("docker", "label:app:web") in found.selectors


def test_the_environment_is_proof_and_never_shown(docker: DockerEngine) -> None:
    """Variables that are named are selectors; their values stand in no explanation and no log."""
    table = {
        "docker_socket_path": str(docker.socket),
        "podman_socket_path": "",
        "env": ["TOKEN", "LANG"],
    }
    with short_folder() as folder, place_with(docker, folder, table) as place:
        docker.image("speaking:1", env={"LANG": "C.UTF-8"})
        place.register("/web", "docker:env:TOKEN=hunter2")
        env = {"TOKEN": "hunter2", "OTHER": "hunter3"}
        container = place.start(image="speaking:1", env=env)
        assert identities(container) == ["/web"]
        for output in ("text", "json"):
            said = finial(
                "explain", "--pid", str(container.pid), "--dir", str(place.up.folder),
                "--output", output,
            )  # fmt: skip
            assert "docker:env:TOKEN" in said.stdout
            assert "docker:image_env:LANG" in said.stdout
            assert "OTHER" not in said.stdout
            assert "hunter" not in said.stdout + said.stderr
        place.clear()
