"""Reports about containers: labels, images, engines."""

from pathlib import Path
from typing import Any

from tests.doubles.engines import Container, DockerEngine, docker_engine
from tests.doubles.podman import rootless_podman
from tests.doubles.programs import eventually
from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Said, Stage, refusal_id

WITHOUT_ENGINE = "/run/finial-has-no-engine.sock"
SOCKET = "unix:///run/finial/workload/workload.sock"


def with_engine(stage: Stage, **settings: Any) -> DockerEngine:
    """An engine, and a `finial up` whose agent asks it."""
    engine = stage.stack.enter_context(docker_engine(stage.require))
    stage.transcript.words[str(engine.socket)] = "/var/run/docker.sock"
    stage.transcript.words[str(engine.folder)] = "/var/lib/docker"
    paths = {"docker_socket_path": str(engine.socket), "podman_socket_path": ""}
    stage.start({"docker": {**paths, **settings}, "unix": {}})
    return engine


def run(stage: Stage, engine: DockerEngine, **options: Any) -> Container:
    """Start a container that can reach the Workload API."""
    mount = f"--volume={stage.folder}/d/workload:/run/finial/workload:ro"
    flags = [mount, "--name=web-1", *options.pop("flags", ())]
    return engine.start(flags=flags, **options)


def fetch(stage: Stage, container: Container) -> Said:
    """Ask for an identity in a container, as its service does."""
    done = container.finial("fetch", "x509", "--socket", SOCKET)
    return stage.note("web$", "finial fetch x509", done.stdout + done.stderr, done.returncode)


def until_served(container: Container) -> None:
    command = ("fetch", "x509", "--socket", SOCKET)
    eventually(lambda: container.finial(*command).returncode == 0)


@situation("spiffe/spire#2651")
def another_value(stage: Stage) -> None:
    """One value differs from what was found

    What an entry asks for and what was found lie in two places, an entry on the server and a debug
    log on the node, and one letter differs between them.
    """
    engine = with_engine(stage)
    stage.entry("/web", "docker:label:app:web")
    container = run(stage, engine, labels={"app": "webb"})
    refused = fetch(stage, container)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("docker:label:app:web", "docker:label:app:webb", "docker:label app is 'webb'")
    stage.fixed(said)
    until_served(container)


@situation("spiffe/spire-tutorials#75")
def attestor_not_running(stage: Stage) -> None:
    """Only `unix` selectors are found, and the entry wants others

    The entry is right and the agent has no attestor that could find what it asks for.
    """
    stage.start()
    wish = "finial entry create spiffe://example.org/web --selector docker:label:app:web"
    stage.type(wish)
    stage.type(f"{wish} --force")
    refused = stage.ask("finial fetch x509", uid=61001)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names(
        "the attestor docker does not run on this agent", "[plugins.workload_attestor.docker]"
    )


@situation("spiffe/spire#2036", "spiffe/spire#1948")
def engine_away(stage: Stage) -> None:
    """An attestor fails, and the workload gets a part of its identities, or none

    The engine is stopped or restarted. What could not be looked up counted as not there.
    """
    engine = with_engine(stage)
    stage.entry("/web", "docker:label:app:web")
    container = run(stage, engine, labels={"app": "web"})
    until_served(container)
    pid = container.pid
    engine.kill()
    refused = stage.type(f"finial simulate --pid {pid}")
    refused.names("docker", "failed", "docker:label:app:web")
    stage.type("finial doctor", only="attestor docker").names("failed", "start the engine")
    engine.serve()
    until_served(container)


@situation("spiffe/spire#5114", "spiffe/spire#5040")
def image_id_is_a_name(stage: Stage) -> None:
    """`docker:image_id` with the digest of the image does not match

    `image_id` is what the container was started from, which mostly is a name. The digest has a
    selector of its own.
    """
    engine = with_engine(stage)
    digest = engine.image("shop:1.2")
    stage.entry("/web", f"docker:image_id:{digest}")
    container = run(stage, engine, image="shop:1.2")
    refused = fetch(stage, container)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("the same was found as docker:image_config_digest")
    stage.fixed(said)
    until_served(container)


@situation("spiffe/spire#4287", "spiffe/spire#4276")
def image_of_two_tags(stage: Stage) -> None:
    """One image has two tags, and the container runs under the other one

    It was issued on some machines and refused on others, because the name that a runtime reports
    depends on which tag it saw first.
    """
    engine = with_engine(stage)
    engine.image("shop:1.2")
    engine.run("tag", "shop:1.2", "shop:stable")
    stage.entry("/web", "docker:image_name:shop:1.2")
    container = run(stage, engine, image="shop:stable")
    refused = fetch(stage, container)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("docker:image_name:shop:1.2", "docker:image_name:shop:stable")


@situation("spiffe/spire#5259")
def label_of_the_image(stage: Stage) -> None:
    """The label is there, but it came with the image

    A build writes labels into its images, to tell them apart by these; but whoever builds an image
    can write any label. SPIRE shows them as the container's own. Here they are
    `docker:image_label`, and the explanation says so.
    """
    engine = with_engine(stage)
    engine.image("shop:1.3", labels={"app": "web"})
    stage.entry("/web", "docker:label:app:web")
    container = run(stage, engine, image="shop:1.3")
    refused = fetch(stage, container)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("the same was found as docker:image_label", "docker:image_label:app:web")


@situation("spiffe/spire#1433", "spiffe/spire#1403")
def path_in_a_container(stage: Stage) -> None:
    """`unix:path` and `unix:sha256` of a program in a container

    The path is the container's, and the hash was taken of the file that the host has under the
    same name. Here the hash is of what runs, and the explanation shows the container beside it.
    """
    engine = with_engine(stage)
    container = run(stage, engine, labels={"app": "web"})
    program = Path(container.execute("readlink", "/proc/1/exe").stdout.strip())
    stage.transcript.words[str(program)] = "/usr/bin/sleep"
    stage.entry("/web", "unix:path:/opt/web/bin/web", "docker:label:app:web")
    said = stage.type(f"finial simulate --pid {container.pid}")
    said.names("unix:path:/opt/web/bin/web", f"unix:path:{program}", container.id[:12])


@situation("spiffe/spire#4088", "spiffe/spire#949", "spiffe/spire#1518")
def container_of_another_engine(stage: Stage) -> None:
    """The agent finds a container's id, and its engine does not know it

    A cgroup was read as another container's, or the agent asked another runtime than the one that
    runs the container: no selectors, and no reason.
    """
    engine = with_engine(stage)
    other = stage.stack.enter_context(docker_engine(stage.require))
    stage.entry("/web", "docker:label:app:web")
    container = run(stage, other, labels={"app": "web"})
    refused = fetch(stage, container)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("docker:label:app:web", container.id[:12], f"{engine.socket} knows none")


@situation("spiffe/spire#2610")
def root_of_a_container(stage: Stage) -> None:
    """A container has the identity that was meant for the host

    `unix:uid:0` was meant for a daemon of the host, and root in any container is uid 0 as well. An
    explanation says of a process that was served why it was.
    """
    engine = with_engine(stage)
    stage.type("finial entry create spiffe://example.org/sshd --selector unix:uid:0").names(
        "Warning"
    )
    container = run(stage, engine, labels={"app": "web"})
    until_served(container)
    said = stage.type(f"finial simulate --pid {container.pid}")
    said.names("spiffe://example.org/sshd", "unix:uid:0", "docker:label:app:web")


@situation("spiffe/spire#7293", "spiffe/spire#6549")
def engine_of_a_user(stage: Stage) -> None:
    """Rootless Podman: the labels are those that the user's own socket tells

    Every user has an engine and a socket of their own. An agent that asks it believes whatever the
    user serves there, so that any user could give themselves any label; SPIRE stopped asking it.
    Nothing is asked here that the operator did not name, and the explanation says so.
    """
    engine = stage.stack.enter_context(rootless_podman(stage.require, delegated=True))
    stage.transcript.words.update({str(engine.uid): "1000", str(engine.slice): "user-1000.slice"})
    stage.start({"docker": {"docker_socket_path": "", "podman_socket_path": ""}, "unix": {}})
    stage.entry("/web", "docker:label:app:web")
    container = engine.start(labels={"app": "web"}, flags=["--name=web-1"])
    said = stage.type(f"finial simulate --pid {container.pid}")
    said.names("docker:label:app:web", f"uid {engine.uid}", "podman_sockets")
