"""What is well and what is not, as documents."""

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field

from ca.api.rest.shapes.shape import Answer
from finial.explain.checkup import worst
from finial.explain.diagnosis import Diagnosis

HealthName = Literal["ok", "warning", "failed"]


class DiagnosisDocument(Answer):
    """One named check."""

    check: str = Field(examples=["database"])
    health: HealthName
    detail: str
    remedy: str = Field("", description="What to do.")

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> Self:
        """Write a value as a document."""
        return cls.model_construct(
            check=diagnosis.check,
            health=diagnosis.health.value,
            detail=diagnosis.detail,
            remedy=diagnosis.remedy,
        )


class Diagnoses(Answer):
    """Every check, and the health of the worst."""

    health: HealthName
    checks: list[DiagnosisDocument]

    @classmethod
    def of(cls, diagnoses: Iterable[Diagnosis]) -> Self:
        """Write values as a document."""
        found = list(diagnoses)
        return cls.model_construct(
            health=worst(found).value, checks=[DiagnosisDocument.of(each) for each in found]
        )
