"""From what an engine says of a container and its image to selectors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from attestors.workload.docker.documents import Config, ContainerDocument, ImageDocument
from attestors.workload.docker.grammar import CONTAINER_NAME, NAME
from finial.spiffe.selector import Selector

MAX_BYTES: Final = 8192
_PROJECT: Final = "com.docker.compose.project"
_SERVICE: Final = "com.docker.compose.service"
_CONTROLS: Final = frozenset(map(chr, (*range(32), 127)))
_SHA256: Final = "sha256:"
_NAME: Final = re.compile(CONTAINER_NAME)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is told: `env` is all variables, or those named; `merge` as the setting."""

    env: bool | tuple[str, ...] = False
    merge: bool = False


class _Told:
    """Collects values, and why some cannot be one."""

    def __init__(self) -> None:
        self.values: dict[str, None] = {}
        self.remarks: list[str] = []

    def add(self, form: str, value: str) -> None:
        whole = f"{form}:{value}"
        if _CONTROLS.isdisjoint(whole) and _size(whole) <= MAX_BYTES:
            self.values[whole] = None
        else:
            self.leave_out(form, value.partition("=")[0].partition(":")[0])

    def leave_out(self, form: str, key: str) -> None:
        self.remarks.append(f"the {form} {key[:80]!a} cannot be written as a selector")


def tell(
    container: ContainerDocument, image: ImageDocument | None, choice: Choice, engine_uid: int
) -> tuple[tuple[Selector, ...], tuple[str, ...]]:
    """The selectors of a container, and remarks on what could not be one.

    Without the image, or with another one of its index, nobody knows which labels it brought
    along: there are none then, unless merged.
    """
    told = _Told()
    brought = (image.config or Config()) if image and image.is_of(container) else None
    _tell_labels(told, container.config, brought, choice)
    _tell_variables(told, container.config, brought, choice)
    if container.config.image:
        told.add("image_id", container.config.image)
        told.add("image_name", container.config.image)
    digest = _digest(container.image)
    if digest:
        told.add("image_config_digest", digest)
    name = container.name.removeprefix("/")
    if _NAME.fullmatch(name):
        told.add("container_name", name)
    elif name:
        told.leave_out("container_name", name)
    told.add("engine_uid", str(engine_uid))
    if brought is None and not choice.merge:
        told.remarks.append(
            f"the image is {_missing(image)}, so that nobody knows which labels and variables "
            "came with it: none is given"
        )
    return tuple(Selector(NAME, value) for value in told.values), tuple(told.remarks)


def _missing(image: ImageDocument | None) -> str:
    return "described for another platform" if image else "not there any more"


def _tell_labels(told: _Told, own: Config, brought: Config | None, choice: Choice) -> None:
    labels = {key: value or "" for key, value in (own.labels or {}).items()}
    for key, value in sorted(labels.items()):
        form = _origin("label", (key, value), _labels(brought), choice)
        if form and (not key or ":" in key):
            told.leave_out(form, key)
        elif form:
            told.add(form, f"{key}:{value}")
            if form == "label" and value and key in (_PROJECT, _SERVICE):
                told.add("compose_project" if key == _PROJECT else "compose_service", value)


def _tell_variables(told: _Told, own: Config, brought: Config | None, choice: Choice) -> None:
    if choice.env is False:
        return
    wanted = None if choice.env is True else frozenset(choice.env)
    came = None if brought is None else set(_variables(brought.env or ()))
    for name, value in sorted(_variables(own.env or ())):
        if wanted is None or name in wanted:
            form = _origin("env", (name, value), came, choice)
            if form and ":" in name:
                told.leave_out(form, name)
            elif form:
                told.add(form, f"{name}={value}")


def _origin(
    form: str, pair: tuple[str, str], brought: Iterable[tuple[str, str]] | None, choice: Choice
) -> str:
    """Which form a pair has: the container's own, the image's, or none if nobody knows."""
    if choice.merge:
        return form
    if brought is None:
        return ""
    return f"image_{form}" if pair in brought else form


def _labels(config: Config | None) -> set[tuple[str, str]] | None:
    if config is None:
        return None
    found: Mapping[str, str | None] = config.labels or {}
    return {(key, value or "") for key, value in found.items()}


def _variables(given: Iterable[str]) -> Iterable[tuple[str, str]]:
    for each in given:
        name, equals, value = each.partition("=")
        if name and equals:
            yield name, value


def _digest(image_id: str) -> str:
    digits = image_id.removeprefix(_SHA256)
    whole = len(digits) == 64 and set(digits) <= set("0123456789abcdef")
    return _SHA256 + digits if whole else ""


def _size(value: str) -> int:
    return len(NAME) + 1 + len(value.encode("utf-8", "surrogatepass"))
