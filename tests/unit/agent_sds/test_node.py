"""What an Envoy says about itself."""

import pytest

from agent.api.sds.envoy import form_of
from agent.api.sds.secret import Form
from finial.wire.pb.envoy_core_pb2 import Node


def node(version: tuple[int, int] | None = (1, 40), **metadata: object) -> Node:
    made = Node(id="n")
    if version is not None:
        told = made.user_agent_build_version.version
        told.major_number, told.minor_number = version
    made.metadata.update(metadata)
    return made


@pytest.mark.parametrize(
    ("version", "form"),
    [
        (None, Form.SPIFFE),
        ((1, 40), Form.SPIFFE),
        ((1, 18), Form.SPIFFE),
        ((2, 0), Form.SPIFFE),
        ((1, 17), Form.PLAIN),
        ((0, 99), Form.PLAIN),
    ],
)
def test_the_validator_is_used_where_envoy_has_it(
    version: tuple[int, int] | None, form: Form
) -> None:
    """Since 1.18; whoever does not say is taken for a new one."""
    assert form_of(node(version), False) is form


def test_a_build_without_a_version_does_not_tell_it() -> None:
    """A build of somebody's own may say what it is and not from which version it comes."""
    made = Node()
    made.user_agent_build_version.SetInParent()
    assert form_of(made, False) is Form.SPIFFE


@pytest.mark.parametrize(
    ("said", "form"),
    [
        (True, Form.PLAIN),
        ("true", Form.PLAIN),
        ("1", Form.PLAIN),
        (False, Form.SPIFFE),
        ("F", Form.SPIFFE),
    ],
)
@pytest.mark.parametrize("setting", [True, False])
def test_a_node_overrides_the_setting(said: object, form: Form, setting: bool) -> None:
    """By its metadata, as with SPIRE: a truth value, or one of its spellings."""
    assert form_of(node(disable_spiffe_cert_validation=said), setting) is form


@pytest.mark.parametrize("said", ["yes", 1.0, "", None, {"a": "b"}])
def test_what_is_no_truth_value_is_passed_over(said: object) -> None:
    """Then the agent's setting holds."""
    assert form_of(node(disable_spiffe_cert_validation=said), True) is Form.PLAIN
    assert form_of(node(disable_spiffe_cert_validation=said), False) is Form.SPIFFE


def test_an_old_envoy_cannot_ask_for_the_validator() -> None:
    """What it does not have it cannot be given."""
    assert form_of(node((1, 17), disable_spiffe_cert_validation=False), False) is Form.PLAIN
