"""What an Envoy says about itself, as far as it changes what it is sent."""

from typing import Any, Final

from agent.api.sds.secret import Form
from finial.wire.pb.envoy_core_pb2 import Node

SWITCH: Final = "disable_spiffe_cert_validation"
FIRST_WITH_VALIDATOR: Final = (1, 18)
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def form_of(node: Node, validation_disabled: bool) -> Form:
    """Choose the form of what this Envoy verifies by; its node may override the agent's setting.

    An Envoy that does not tell its version is taken for a new one.
    """
    if node.user_agent_build_version.HasField("version"):
        version = node.user_agent_build_version.version
        if (version.major_number, version.minor_number) < FIRST_WITH_VALIDATOR:
            return Form.PLAIN
    said = _switch(node)
    disabled = validation_disabled if said is None else said
    return Form.PLAIN if disabled else Form.SPIFFE


def _switch(node: Node) -> bool | None:
    fields: Any = node.metadata.fields
    if SWITCH not in fields:
        return None
    value = fields[SWITCH]
    match value.WhichOneof("kind"):
        case "bool_value":
            return bool(value.bool_value)
        case "string_value" if value.string_value in _TRUE:
            return True
        case "string_value" if value.string_value in _FALSE:
            return False
    return None
