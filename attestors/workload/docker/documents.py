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


class ContainerDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to `/containers/<id>/json`; `image` is the image's ID."""

    id: str
    name: str = ""
    image: str = ""
    state: State = State()
    config: Config = Config()


class ImageDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to `/images/<id>/json`."""

    id: str = ""
    config: Config | None = None


class VersionDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to `/version`."""

    version: str = ""
    api_version: str = ""
