"""From an engine's documents to selectors."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestors.workload.docker.documents import (
    Config,
    ContainerDocument,
    Descriptor,
    ImageDocument,
    Platform,
    State,
)
from attestors.workload.docker.grammar import GRAMMAR
from attestors.workload.docker.telling import Choice, tell

ID = "ab" * 32
DIGEST = f"sha256:{'1' * 64}"


def container(**config: object) -> ContainerDocument:
    whole = Config(**{"image": "web:1", **config})  # type: ignore[arg-type]
    return ContainerDocument(ID, "/web-1", DIGEST, State(7), whole)


def image(**config: object) -> ImageDocument:
    return ImageDocument(DIGEST, Config(**config))  # type: ignore[arg-type]


def values(
    told: ContainerDocument, brought: ImageDocument | None, choice: Choice | None = None
) -> list[str]:
    selectors, _ = tell(told, brought, choice or Choice(), 0)
    for each in selectors:
        assert each.type == "docker"
        assert any(re.fullmatch(form.pattern, each.value) for form in GRAMMAR.forms), each
    return [each.value for each in selectors]


def test_what_every_container_has() -> None:
    """QW-03: reference, digest, name, and whose engine it is."""
    assert values(container(), image()) == [
        "image_id:web:1",
        "image_name:web:1",
        f"image_config_digest:{DIGEST}",
        "container_name:web-1",
        "engine_uid:0",
    ]


def test_labels_are_the_containers_unless_the_image_brought_them() -> None:
    """The same key with another value is the container's own."""
    own = container(labels={"app": "web", "tier": "gold", "from": "image"})
    found = values(own, image(labels={"app": "other", "from": "image", "gone": "x"}))
    assert found[:3] == ["label:app:web", "image_label:from:image", "label:tier:gold"]


def test_without_the_image_nobody_knows_whose_labels_they_are() -> None:
    """None is given then, and a remark says why."""
    selectors, remarks = tell(container(labels={"app": "web"}, env=["A=1"]), None, Choice(True), 0)
    assert not [each for each in selectors if "label" in each.value or "env" in each.value]
    assert "the image is not there any more" in remarks[0]


@pytest.mark.parametrize(
    ("runs", "described", "is_known"),
    [
        (Platform("linux", "arm64", "v8"), ("linux", "amd64", ""), False),
        (Platform("linux", "arm", "v6"), ("linux", "arm", "v7"), False),
        (Platform("linux", "arm64", "v8"), ("linux", "arm64", ""), True),
        (Platform("linux", "amd64"), ("linux", "amd64", ""), True),
        (Platform(), ("linux", "amd64", ""), True),
        (None, ("linux", "amd64", ""), True),
    ],
)
def test_another_image_of_the_index_says_nothing_of_labels(
    runs: Platform | None, described: tuple[str, str, str], is_known: bool
) -> None:
    """Asked for an index, an engine describes the image for its own machine, which may not run."""
    own = msgspec.structs.replace(
        container(labels={"app": "web"}), image_manifest_descriptor=Descriptor(runs)
    )
    named = ImageDocument(DIGEST, Config(), *described)
    selectors, remarks = tell(own, named, Choice(), 0)
    assert ("label:app:web" in {each.value for each in selectors}) == is_known
    assert bool(remarks) != is_known
    assert is_known or "described for another platform" in remarks[0]


def test_the_platform_is_read_from_an_engines_answer() -> None:
    """Docker Engine API 1.48: ContainerInspectResponse.ImageManifestDescriptor."""
    text = (
        b'{"Id":"a","ImageManifestDescriptor":{"platform":{"architecture":"arm64","os":"linux"}}}'
    )
    found = msgspec.json.decode(text, type=ContainerDocument)
    assert found.image_manifest_descriptor == Descriptor(Platform("linux", "arm64"))
    ours = msgspec.json.decode(b'{"Os":"linux","Architecture":"amd64"}', type=ImageDocument)
    assert not ours.is_of(found)
    assert ours.is_of(container())


def test_merged_as_spire_does() -> None:
    """With the setting every label and variable is the container's, and no image is needed."""
    own = container(labels={"app": "web"}, env=["A=1"])
    found = values(own, None, Choice(True, merge=True))
    assert found[:2] == ["label:app:web", "env:A=1"]
    assert values(own, image(labels={"app": "web"}), Choice(merge=True))[0] == "label:app:web"


def test_compose_is_told_by_its_labels_of_the_container() -> None:
    """An image that claims to be a service of a project is none."""
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    own = values(container(labels=labels), image())
    assert {"compose_project:shop", "compose_service:web"} <= set(own)
    claimed = values(container(labels=labels), image(labels=labels))
    assert not [each for each in claimed if each.startswith("compose")]
    empty = values(container(labels=dict.fromkeys(labels, "")), image())
    assert not [each for each in empty if each.startswith("compose")]


def test_the_environment_is_told_only_if_asked_for() -> None:
    """By name or as a whole; what the image brought is told apart."""
    own = container(env=["TIER=gold", "PATH=/bin", "LANG=C", "malformed", "=x"])
    brought = image(env=["PATH=/bin"])
    assert not [each for each in values(own, brought) if "env" in each]
    named = values(own, brought, Choice(("TIER", "PATH", "NOTHING")))
    assert named[:2] == ["image_env:PATH=/bin", "env:TIER=gold"]
    everything = values(own, brought, Choice(env=True))
    assert everything[:3] == ["env:LANG=C", "image_env:PATH=/bin", "env:TIER=gold"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a:b", "c"),
        ("", "x"),
        ("app", "web\nspoofed"),
        ("app", "\x1b[31mred"),
        ("a\x00b", "c"),
        ("app", "x" * 9000),
        ("k" * 9000, "v"),
    ],
)
def test_labels_that_could_be_taken_for_others_are_left_out(key: str, value: str) -> None:
    """`a:b` with `c` would be `a` with `b:c`; control characters are nobody's identity."""
    selectors, remarks = tell(container(labels={key: value}), image(), Choice(), 0)
    assert not [each for each in selectors if each.value.startswith("label:")]
    assert "cannot be written as a selector" in remarks[0]
    assert len(remarks[0]) < 200
    assert remarks[0].isprintable()


def test_a_remark_never_shows_a_variables_value() -> None:
    """The value of a variable is a secret, also where it cannot be a selector."""
    own = container(env=["TOKEN=hunter2\n", "A:B=hunter2"])
    _, remarks = tell(own, image(), Choice(env=True), 0)
    assert len(remarks) == 2
    assert "hunter2" not in str(remarks)


def test_an_engine_that_leaves_things_out_is_told_of_as_far_as_it_goes() -> None:
    """No name, no image: no selectors of these."""
    bare = ContainerDocument(ID)
    assert values(bare, image()) == ["engine_uid:0"]
    odd = ContainerDocument(ID, "/", "not-a-digest", State(), Config("", {"a": None}))
    assert values(odd, ImageDocument(DIGEST, None)) == ["label:a:", "engine_uid:0"]


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = WORDS.filter(lambda name: name and "=" not in name and "\0" not in name)


@given(st.dictionaries(WORDS, WORDS, max_size=6), st.dictionaries(WORDS, WORDS, max_size=6))
def test_whatever_the_labels_no_two_are_told_alike(
    own: dict[str, str], brought: dict[str, str]
) -> None:
    """Every selector keeps to the grammar, and leads back to one label of one origin."""
    found = values(container(labels={**brought, **own}), image(labels=brought))
    told = [each for each in found if each.startswith(("label:", "image_label:"))]
    for each in told:
        form, key, value = each.split(":", 2)
        assert {**brought, **own}[key] == value
        assert (form == "image_label") == (brought.get(key) == value)
    assert len(told) == len(set(told))


@given(st.dictionaries(NAMES, WORDS, max_size=6), st.dictionaries(NAMES, WORDS, max_size=6))
def test_whatever_the_environment_no_two_variables_are_told_alike(
    own: dict[str, str], brought: dict[str, str]
) -> None:
    """Every selector keeps to the grammar, and leads back to one variable of one origin."""
    env = [f"{name}={value}" for name, value in {**brought, **own}.items()]
    came = [f"{name}={value}" for name, value in brought.items()]
    found = values(container(env=env), image(env=came), Choice(env=True))
    for each in found:
        form, _, pair = each.partition(":")
        if form in ("env", "image_env"):
            name, _, value = pair.partition("=")
            assert {**brought, **own}[name] == value
            assert (form == "image_env") == (brought.get(name) == value)
