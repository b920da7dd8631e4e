"""Why a request was let through or not: a closed list, whose ids may be shown to anybody."""

import enum
from collections.abc import Mapping
from typing import Final


class Ground(enum.StrEnum):
    """The reason id of a decision; it never tells a rule."""

    ALLOWED = "allowed"
    OPEN = "open"
    FORBIDDEN = "forbidden"
    NO_RULE = "no_rule"
    NO_IDENTITY = "no_identity"
    NO_WORKLOAD = "no_workload"
    UNKNOWN_CALLEE = "unknown_callee"
    RULE_ERROR = "rule_error"
    METHOD_MALFORMED = "method_malformed"
    PATH_NOT_ABSOLUTE = "path_not_absolute"
    PATH_TOO_LONG = "path_too_long"
    PATH_CHARACTERS = "path_characters"
    PATH_ENCODING = "path_encoding"
    PATH_AMBIGUOUS = "path_ambiguous"

    @property
    def sentence(self) -> str:
        """What it means, for the operator."""
        return _SENTENCES[self]


_SENTENCES: Final[Mapping[Ground, str]] = {
    Ground.ALLOWED: "a rule allows it",
    Ground.OPEN: "the callee is open: no rule was asked",
    Ground.FORBIDDEN: "a rule forbids it",
    Ground.NO_RULE: "no rule allows it",
    Ground.NO_IDENTITY: "the caller has no identity",
    Ground.NO_WORKLOAD: "the caller is a server, an agent or a trust domain, and no workload",
    Ground.UNKNOWN_CALLEE: "the callee is not one of those that this agent has rules for",
    Ground.RULE_ERROR: "a rule could not be evaluated",
    Ground.METHOD_MALFORMED: "the method is no HTTP method in capital letters",
    Ground.PATH_NOT_ABSOLUTE: "the path does not begin with a slash",
    Ground.PATH_TOO_LONG: "the path is longer than 8192 characters",
    Ground.PATH_CHARACTERS: "the path holds a character that a URL has only percent-encoded",
    Ground.PATH_ENCODING: "the path's percent-encoding is broken or is not UTF-8",
    Ground.PATH_AMBIGUOUS: "servers may read the path in several ways",
}
