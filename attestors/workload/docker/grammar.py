"""The selectors of the docker attestor, and what each of them relies on."""

from typing import Final

from attestors.contract import SelectorForm, SelectorGrammar

NAME: Final = "docker"
CONTAINER_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_TEXT: Final = r"[^\x00-\x1f\x7f]"
_KEY: Final = r"[^:\x00-\x1f\x7f]"
_CREATOR: Final = "whoever may create containers at the engine chose it"
_IMAGE: Final = "whoever built the image chose it"

GRAMMAR: Final = SelectorGrammar(
    NAME,
    (
        SelectorForm(
            "label",
            rf"label:{_KEY}+:{_TEXT}*",
            "docker:label:app:web",
            f"the engine, and {_CREATOR}; a label that the image brought along is no such selector",
            "which program runs; a user whose own engine is named in podman_sockets gives any "
            "label to their own processes, so name docker:engine_uid as well",
        ),
        SelectorForm(
            "image_label",
            rf"image_label:{_KEY}+:{_TEXT}*",
            "docker:image_label:org.opencontainers.image.title:web",
            f"the engine for the image that runs, and {_IMAGE}",
            "who built the image: anybody can give theirs the same label",
        ),
        SelectorForm(
            "env",
            rf"env:{_KEY}+={_TEXT}*",
            "docker:env:TIER=gold",
            f"the engine, and {_CREATOR}; given only for the variables that the setting env names",
            "that the process still has that environment",
            secret=True,
            setting="env",
        ),
        SelectorForm(
            "image_env",
            rf"image_env:{_KEY}+={_TEXT}*",
            "docker:image_env:LANG=C.UTF-8",
            f"the engine for the image that runs, and {_IMAGE}",
            "who built the image",
            secret=True,
            setting="env",
        ),
        SelectorForm(
            "image_id",
            rf"image_id:{_TEXT}+",
            "docker:image_id:registry.example.org/web:1.2",
            f"the engine: the image as it was named when the container was made, and {_CREATOR}",
            "the image's content: a tag moves, and a local image can have any name; "
            "docker:image_config_digest names content",
        ),
        SelectorForm(
            "image_name",
            rf"image_name:{_TEXT}+",
            "docker:image_name:registry.example.org/web:1.2",
            f"the same as docker:image_id, which is SPIRE's name for it; {_CREATOR}",
            "the image's content: a tag moves, and a local image can have any name",
        ),
        SelectorForm(
            "image_config_digest",
            r"image_config_digest:sha256:[0-9a-f]{64}",
            f"docker:image_config_digest:sha256:{'5f' * 32}",
            "the engine: the image's ID, the digest of its configuration, thus of all its layers, "
            "or in containerd's store of its index and thus of the images of all its platforms",
            "what was mounted over the image's files, and which of its programs runs",
        ),
        SelectorForm(
            "container_name",
            f"container_name:{CONTAINER_NAME}",
            "docker:container_name:web-1",
            f"the engine, and {_CREATOR}; it may be renamed, which is seen within a minute",
            "that it is the container which had the name yesterday",
        ),
        SelectorForm(
            "compose_project",
            rf"compose_project:{_TEXT}+",
            "docker:compose_project:shop",
            f"the label that Compose gives each container of a project: {_CREATOR}",
            "that Compose made it: anybody who may create containers can give the label",
        ),
        SelectorForm(
            "compose_service",
            rf"compose_service:{_TEXT}+",
            "docker:compose_service:web",
            f"the label that Compose gives each container of a service: {_CREATOR}",
            "the project: services of two projects may have one name, so name both",
        ),
        SelectorForm(
            "engine_uid",
            r"engine_uid:\d{1,10}",
            "docker:engine_uid:0",
            "the kernel: the user whose engine the container belongs to; 0 is root's",
            "",
        ),
    ),
)
