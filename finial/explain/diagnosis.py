"""Whether something is well, and what to do if not: what `finial doctor` shows."""

import enum

import msgspec


class Health(enum.StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One named check: `check` is its name, such as `attestor docker`; `remedy` what to do."""

    check: str
    health: Health
    detail: str
    remedy: str = ""
