"""Registration entries as documents; members are named as in SPIRE's `types.Entry`."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Self

import msgspec
from pydantic import BeforeValidator, Field, ValidationError

from ca.api.rest.shapes.parsing import required
from ca.api.rest.shapes.shape import Answer, Shape
from ca.api.rest.shapes.times import Instant, instant, seconds
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

MAX_BATCH: Final = 500
_Ttl = Annotated[int, Field(ge=0, le=2**31 - 1, description="In seconds; 0: the server's default.")]


def _federated(name: object) -> object:
    return name.removeprefix("spiffe://") if isinstance(name, str) else name


_TrustDomainName = Annotated[str, BeforeValidator(_federated)]


class AdditionalAttributes(Shape):
    """Rare switches of an entry."""

    disable_x509_svid_prefetch: bool = False
    jwt_svid_include_jti: bool = False


class EntryBody(Shape):
    """What an administrator says of an entry."""

    spiffe_id: str = Field(examples=["spiffe://example.org/web"])
    parent_id: str = Field(examples=["spiffe://example.org/spire/agent/x509pop/0123"])
    selectors: list[str] = Field(examples=[["unix:uid:1000"]])
    x509_svid_ttl: _Ttl = 0
    jwt_svid_ttl: _Ttl = 0
    federates_with: list[_TrustDomainName] = []
    admin: bool = False
    downstream: bool = False
    store_svid: bool = False
    expires_at: Annotated[Instant | None, Field(strict=False)] = None
    dns_names: list[str] = []
    hint: str = ""
    additional_attributes: AdditionalAttributes = AdditionalAttributes()
    attributes: dict[str, str] = Field({}, description="Free text pairs, for policies.")

    def entry(self, entry_id: str = "") -> Entry:
        """Make the value.

        Raises: Refusal of kind INVALID, which names the member.
        """
        return Entry(
            id=entry_id,
            spiffe_id=required("spiffe_id", self.spiffe_id, SpiffeId.parse),
            parent_id=required("parent_id", self.parent_id, SpiffeId.parse),
            selectors=tuple(required("selectors", text, Selector.parse) for text in self.selectors),
            x509_svid_ttl=self.x509_svid_ttl,
            jwt_svid_ttl=self.jwt_svid_ttl,
            federates_with=tuple(
                required("federates_with", name, TrustDomain.parse) for name in self.federates_with
            ),
            admin=self.admin,
            downstream=self.downstream,
            store_svid=self.store_svid,
            expires_at=seconds(self.expires_at),
            dns_names=tuple(self.dns_names),
            hint=self.hint,
            disable_x509_svid_prefetch=self.additional_attributes.disable_x509_svid_prefetch,
            jwt_svid_include_jti=self.additional_attributes.jwt_svid_include_jti,
            attributes=tuple(sorted(self.attributes.items())),
        )


class NewEntry(EntryBody):
    """An entry to be created; its id may be chosen."""

    id: str = Field("", description="At most 255 of a-z A-Z 0-9 . _ -; made up if left out.")

    def value(self) -> Entry:
        """Make the value."""
        return self.entry(self.id)


class EntryPatch(Shape):
    """What to change of an entry (RFC 7396): members left out stay, null means the default."""

    spiffe_id: str | None = None
    parent_id: str | None = None
    selectors: list[str] | None = None
    x509_svid_ttl: _Ttl | None = None
    jwt_svid_ttl: _Ttl | None = None
    federates_with: list[_TrustDomainName] | None = None
    admin: bool | None = None
    downstream: bool | None = None
    store_svid: bool | None = None
    expires_at: Annotated[Instant | None, Field(strict=False)] = None
    dns_names: list[str] | None = None
    hint: str | None = None
    additional_attributes: dict[str, bool | None] | None = None
    attributes: dict[str, str | None] | None = None

    def apply(self, entry: Entry) -> Entry:
        """Change an entry.

        Raises: Refusal of kind INVALID.
        """
        whole = EntryDocument.of(entry).model_dump(include=set(EntryBody.model_fields))
        merged = merge(whole, self.model_dump(exclude_unset=True))
        try:
            body = EntryBody.model_validate(merged)
        except ValidationError as fault:
            raise _unfit(fault) from None
        return msgspec.structs.replace(
            body.entry(entry.id),
            revision_number=entry.revision_number,
            created_at=entry.created_at,
        )


class EntryDocument(EntryBody):
    """An entry as it stands."""

    id: str
    revision_number: int = Field(description="Counts the changes; it is also the ETag.")
    created_at: Instant | None = None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Write a value as a document."""
        return cls.model_construct(
            id=entry.id,
            spiffe_id=str(entry.spiffe_id),
            parent_id=str(entry.parent_id),
            selectors=[str(selector) for selector in entry.selectors],
            x509_svid_ttl=entry.x509_svid_ttl,
            jwt_svid_ttl=entry.jwt_svid_ttl,
            federates_with=[domain.name for domain in entry.federates_with],
            admin=entry.admin,
            downstream=entry.downstream,
            store_svid=entry.store_svid,
            expires_at=instant(entry.expires_at),
            dns_names=list(entry.dns_names),
            hint=entry.hint,
            additional_attributes=AdditionalAttributes(
                disable_x509_svid_prefetch=entry.disable_x509_svid_prefetch,
                jwt_svid_include_jti=entry.jwt_svid_include_jti,
            ),
            attributes=dict(entry.attributes),
            revision_number=entry.revision_number,
            created_at=instant(entry.created_at),
        )


class WrittenEntry(EntryDocument):
    """An entry that was just created or changed, with what its author may not have meant."""

    warnings: list[str] = []

    @classmethod
    def with_warnings(cls, entry: Entry, warnings: Iterable[str]) -> Self:
        """Write a value as a document."""
        return cls.model_construct(**dict(EntryDocument.of(entry)), warnings=list(warnings))


class PatchItem(Shape):
    """One change of a batch."""

    id: str
    patch: EntryPatch


class Batch(Shape):
    """Things to create, change and delete; each succeeds or fails by itself, in this order."""

    create: list[NewEntry] = []
    update: list[PatchItem] = []
    delete: list[str] = []


class BatchItem(Answer):
    """What became of one thing of a batch: the status that it would have had alone."""

    status: int
    entry: EntryDocument | None = None
    warnings: list[str] = []
    problem: dict[str, Any] | None = None


class BatchAnswer(Answer):
    """What became of each thing, in the order of the request."""

    results: list[BatchItem]


def merge(target: Any, patch: Any) -> Any:
    """Merge a patch into a document (RFC 7396); here null takes a member back to its default."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def _unfit(fault: ValidationError) -> Refusal:
    first = fault.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return Refusal(
        Kind.INVALID, f"after the patch {field} would be wrong: {first['msg']}", field=field
    )
