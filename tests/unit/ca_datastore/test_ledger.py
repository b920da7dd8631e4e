"""The ledger of what was issued."""

import asyncio
from pathlib import Path

import pytest

from ca.datastore.ledger import IssuedFilter, IssuedPage
from ca.registry.issued import SvidKind
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.datastore import opened, svid

DAY = 86400


def serials(page: IssuedPage) -> list[str]:
    return [each.serial for each in page.items]


def test_rows_come_back_whole_and_latest_first(tmp_path: Path) -> None:
    """Every member of a row is read as it was written, the latest row first."""

    async def act() -> None:
        token = svid("jti-1", kind=SvidKind.JWT, entry_id="", agent_id="")
        huge = svid(str(2**128 - 1))
        async with opened(tmp_path) as datastore:
            await datastore.record_issued([])
            await datastore.record_issued([huge, token])
        async with opened(tmp_path) as datastore:
            assert await datastore.list_issued(IssuedFilter()) == IssuedPage((token, huge))

    asyncio.run(act())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (IssuedFilter(kind=SvidKind.JWT), ["2"]),
        (IssuedFilter(serial="1"), ["1"]),
        (IssuedFilter(spiffe_id="spiffe://example.org/db"), ["3"]),
        (IssuedFilter(entry_id="db"), ["3"]),
        (IssuedFilter(agent_id="spiffe://example.org/spire/agent/x"), ["2"]),
        (IssuedFilter(authority_id="bb"), ["1"]),
        (IssuedFilter(expires_after=int(NOW) + 50), ["1"]),
        (IssuedFilter(expires_before=int(NOW) + 50), ["2"]),
        (IssuedFilter(kind=SvidKind.X509, expires_after=int(NOW)), ["3", "1"]),
        (IssuedFilter(serial="9"), []),
    ],
)
def test_filters(tmp_path: Path, wanted: IssuedFilter, found: list[str]) -> None:
    """A row is listed when every member of the filter that is set is the row's; bounds are open."""

    async def act() -> None:
        other = "spiffe://example.org/spire/agent/x"
        async with opened(tmp_path) as datastore:
            await datastore.record_issued(
                [
                    svid("1", authority_id="bb", expires_at=int(NOW) + 51),
                    svid("2", kind=SvidKind.JWT, agent_id=other, expires_at=int(NOW) + 49),
                    svid(
                        "3",
                        spiffe_id="spiffe://example.org/db",
                        entry_id="db",
                        expires_at=int(NOW) + 50,
                    ),
                ]
            )
            assert serials(await datastore.list_issued(wanted)) == found

    asyncio.run(act())


def test_pages_stand_still(tmp_path: Path) -> None:
    """What is issued between two pages neither repeats nor hides a row (BE-14)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.record_issued([svid(str(n)) for n in range(5)])
            first = await datastore.list_issued(IssuedFilter(entry_id="web"), 2)
            await datastore.record_issued([svid("new")])
            second = await datastore.list_issued(IssuedFilter(), 2, first.next_page_token)
            third = await datastore.list_issued(IssuedFilter(), 2, second.next_page_token)
            pages = [serials(page) for page in (first, second, third)]
            assert pages == [["4", "3"], ["2", "1"], ["0"]]
            assert third.next_page_token == ""

    asyncio.run(act())


def test_last_page_that_is_full_has_no_next(tmp_path: Path) -> None:
    """A page that ends with the last row is the last page; sizes below one are one."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.record_issued([svid("1"), svid("2")])
            assert (await datastore.list_issued(IssuedFilter(), 2)).next_page_token == ""
            assert serials(await datastore.list_issued(IssuedFilter(), 0)) == ["2"]

    asyncio.run(act())


@pytest.mark.parametrize("token", ["x", "-1", "1 ", "\u0663", "9" * 19])
def test_foreign_page_token_is_refused(tmp_path: Path, token: str) -> None:
    """A page token that is no row's number is refused."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            with pytest.raises(Refusal) as refused:
                await datastore.list_issued(IssuedFilter(), 2, token)
            assert (refused.value.kind, refused.value.field) == (Kind.INVALID, "page_token")

    asyncio.run(act())


def test_rows_are_kept_for_a_day_after_expiry(tmp_path: Path) -> None:
    """A row goes a day after its SVID expired, and not a second before; in portions."""

    async def act() -> None:
        old = int(NOW) - DAY - 1
        async with opened(tmp_path) as datastore:
            await datastore.record_issued([svid(f"o{n}", expires_at=old) for n in range(1100)])
            await datastore.record_issued([svid("kept", expires_at=old + 1)])
            assert await datastore.prune_issued(NOW) == 1100
            assert await datastore.prune_issued(NOW) == 0
            assert serials(await datastore.list_issued(IssuedFilter())) == ["kept"]

    asyncio.run(act())


def test_concurrent_callers_share_commits(tmp_path: Path) -> None:
    """Rows of many callers at once are all there, each caller's in its order."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await asyncio.gather(
                *(
                    datastore.record_issued([svid(f"{n}-{m}", entry_id=str(n)) for m in range(7)])
                    for n in range(50)
                )
            )
            for n in range(50):
                page = await datastore.list_issued(IssuedFilter(entry_id=str(n)))
                assert serials(page) == [f"{n}-{m}" for m in reversed(range(7))]

    asyncio.run(act())
