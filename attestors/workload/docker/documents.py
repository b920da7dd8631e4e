"""What an engine's API answers, as far as it is of use; everything else is skipped."""

from typing import Annotated, Final

import msgspec

MAX_LABELS: Final = 1024

Labels = Annotated[dict[str, str | None], msgspec.Meta(max_length=MAX_LABELS)]
Variables = Annotated[list[str], msgspec.Meta(max_length=MAX_LABELS)]


class EngineAway(Exception):
    """An engine did not answer, or not as an engine does; the message says which and why."""


class State(msgspec.Struct, frozen=True, rename="pascal"):
    """Whether a container runs; `pid` is its first process as the engine sees it, or 0."""

    pid: int = 0


class Config(msgspec.Struct, frozen=True, rename="pascal"):
    """What a container was made with, or what an image brings along."""

    image: str = ""
    labels: Labels | None = None
    env: Variables | None = None


class Platform(msgspec.Struct, frozen=True):
    """What an image was built for, as far as that is said."""

    os: str = ""
    architecture: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True):
    """Which of the images of an index it is (OCI image specification, descriptor)."""

    platform: Platform | None = None


class ContainerDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to `/containers/<id>/json`; `image` is the image's ID.

    Where that is the ID of an index, as in containerd's store, `image_manifest_descriptor` says
    which image of it runs.
    """

    id: str
    name: str = ""
    image: str = ""
    state: State = State()
    config: Config = Config()
    image_manifest_descriptor: Descriptor | None = None


class ImageDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to `/images/<id>/json`."""

    id: str = ""
    config: Config | None = None
    os: str = ""
    architecture: str = ""
    variant: str = ""

    def is_of(self, container: ContainerDocument) -> bool:
        """Whether a container can run this very image, and not another one of its index.

        An engine that is asked for an index answers with the image for its own machine.
        """
        descriptor = container.image_manifest_descriptor
        wanted = descriptor.platform if descriptor else None
        if wanted is None:
            return True
        pairs = (
            (wanted.os, self.os),
            (wanted.architecture, self.architecture),
            (wanted.variant, self.variant),
        )
        return all(one == other for one, other in pairs if one and other)


class VersionDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to `/version`."""

    version: str = ""
    api_version: str = ""
