"""What a transaction promises, the same on SQLite and on PostgreSQL."""

import asyncio
import stat
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.control_store import AlreadyExists, ControlStore, open_control_store, require_version
from libs.common.control_store.migrations import migrate_control
from libs.common.errors import Conflict, ControlStoreUnavailable, InternalError
from libs.common.metrics import sample_value
from libs.common.settings import ControlSettings
from tests.contract.control_store.conftest import BOOKS


def book(name: str, copies: int = 1) -> dict[str, object]:
    return {"id": name, "title": f"The {name}", "copies": copies, "version": 1}


async def add(store: ControlStore, *books: dict[str, object]) -> None:
    async def work(session: AsyncSession) -> None:
        for one in books:
            await session.execute(insert(BOOKS).values(one))

    await store.write("add", work)


async def titles(store: ControlStore) -> list[str]:
    async def work(session: AsyncSession) -> list[str]:
        return list((await session.scalars(select(BOOKS.c.title).order_by(BOOKS.c.title))).all())

    return await store.read("titles", work)


async def test_all_of_it_or_nothing(store: ControlStore) -> None:
    await add(store, book("Hobbit"))
    with pytest.raises(AlreadyExists):
        await add(store, book("Silmarillion"), book("Hobbit"))
    assert await titles(store) == ["The Hobbit"]

    async def changes_its_mind(session: AsyncSession) -> None:
        await session.execute(insert(BOOKS).values(book("Silmarillion")))
        raise LookupError

    with pytest.raises(LookupError):
        await store.write("add", changes_its_mind)
    assert await titles(store) == ["The Hobbit"]


async def test_of_twenty_that_want_one_title_one_gets_it(store: ControlStore) -> None:
    wanted = [{**book(f"copy-{number}"), "title": "The Hobbit"} for number in range(20)]
    outcomes = await asyncio.gather(*(add(store, one) for one in wanted), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyExists"] * 19 + ["NoneType"]
    assert await titles(store) == ["The Hobbit"]


async def test_no_increment_is_lost_between_twenty_that_read_first(store: ControlStore) -> None:
    await add(store, book("Hobbit", copies=0))

    async def one_more(session: AsyncSession) -> None:
        copies = await session.scalar(select(BOOKS.c.copies).where(BOOKS.c.id == "Hobbit"))
        assert copies is not None
        await asyncio.sleep(0)
        await session.execute(update(BOOKS).where(BOOKS.c.id == "Hobbit").values(copies=copies + 1))

    await asyncio.gather(*(store.write("one_more", one_more) for _ in range(20)))
    assert await store.read("copies", lambda session: session.scalar(select(BOOKS.c.copies))) == 20


async def test_who_met_another_is_begun_again_and_counted(
    control_settings: ControlSettings, store: ControlStore, registry: CollectorRegistry
) -> None:
    """Two processes read the same and both write: on PostgreSQL the later one runs twice, on SQLite it waits."""
    await add(store, book("Hobbit", copies=0))
    async with open_control_store(control_settings, "library") as other:
        tries = 0

        async def slow(session: AsyncSession) -> None:
            nonlocal tries
            tries += 1
            copies = await session.scalar(select(BOOKS.c.copies))
            if tries == 1 and other.engine.dialect.name == "postgresql":
                await other.write("quick", lambda quick: quick.execute(update(BOOKS).values(copies=10)))
            await session.execute(update(BOOKS).values(copies=copies + 1))

        await store.write("slow", slow)
    expected = (2, 11.0, 1.0) if store.engine.dialect.name == "postgresql" else (1, 1.0, 0.0)
    copies = await store.read("copies", lambda session: session.scalar(select(BOOKS.c.copies)))
    retries = sample_value(registry, "airis_control_store_retries_total", transaction="slow")
    assert (tries, copies, retries) == expected


async def test_a_lost_update_is_refused(store: ControlStore) -> None:
    await add(store, book("Hobbit"))

    async def rename(session: AsyncSession, title: str, expected: int) -> None:
        version = await session.scalar(select(BOOKS.c.version).where(BOOKS.c.id == "Hobbit"))
        require_version(version, expected, "The book")
        await session.execute(update(BOOKS).values(title=title, version=version + 1))

    attempts = [store.write("rename", lambda session, n=n: rename(session, f"Title {n}", 1)) for n in range(8)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(refused), outcomes.count(None)) == (7, 1)
    assert refused[0].extra == {"current_version": 2}
    assert await titles(store) == [f"Title {outcomes.index(None)}"]


async def test_a_reference_to_nothing_is_our_bug_and_not_a_conflict(store: ControlStore) -> None:
    with pytest.raises(InternalError):
        await add(store, {**book("Hobbit"), "shelf": "nowhere"})
    assert await titles(store) == []


async def test_readers_see_one_state_and_hold_up_no_writer(store: ControlStore) -> None:
    await add(store, book("Hobbit"))

    async def look_twice(session: AsyncSession) -> tuple[int | None, int | None]:
        before = await session.scalar(select(func.count()).select_from(BOOKS))
        await add(store, book("Silmarillion"))
        return before, await session.scalar(select(func.count()).select_from(BOOKS))

    assert await store.read("look", look_twice) == (1, 1)
    assert len(await titles(store)) == 2


async def test_who_leaves_in_the_middle_leaves_nothing_behind(store: ControlStore) -> None:
    """Cancelled transactions give their connection back, whole, and did nothing."""
    for number in range(15):
        inside = asyncio.Event()

        async def never_ends(session: AsyncSession, number: int = number, inside: asyncio.Event = inside) -> None:
            await session.execute(insert(BOOKS).values(book(f"n{number}")))
            inside.set()
            await asyncio.sleep(3600)

        task = asyncio.create_task(store.write("left", never_ends))
        await inside.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
    assert await titles(store) == []
    await add(store, book("Hobbit"))


async def test_who_holds_it_too_long_is_ended_and_the_next_may(
    control_settings: ControlSettings, store: ControlStore
) -> None:
    short = control_settings.model_copy(update={"timeout_seconds": 0.3, "lock_timeout_seconds": 0.1})
    async with open_control_store(short, "library") as hasty:
        with pytest.raises(ControlStoreUnavailable, match="in time"):
            await hasty.write("long", lambda _: asyncio.sleep(3600))
        await add(hasty, book("Hobbit"))
        held, release = asyncio.Event(), asyncio.Event()

        async def hold(session: AsyncSession) -> None:
            await session.execute(update(BOOKS).values(copies=7))
            held.set()
            await release.wait()

        holder = asyncio.create_task(store.write("hold", hold))
        await held.wait()
        with pytest.raises(ControlStoreUnavailable):
            await hasty.write("wait", lambda session: session.execute(update(BOOKS).values(copies=8)))
        release.set()
        await holder
    assert await store.read("copies", lambda session: session.scalar(select(BOOKS.c.copies))) == 7


async def test_it_measures_what_it_does_by_name(store: ControlStore, registry: CollectorRegistry) -> None:
    await add(store, book("Hobbit"))
    with pytest.raises(AlreadyExists):
        await add(store, book("Hobbit"))
    await store.check()
    count = "airis_control_store_duration_seconds_count"
    assert sample_value(registry, count, transaction="add", outcome="ok") == 1
    assert sample_value(registry, count, transaction="add", outcome="conflict") == 1
    assert sample_value(registry, count, transaction="check", outcome="ok") == 1


async def test_without_a_schema_it_says_what_to_run(control_settings: ControlSettings) -> None:
    async with open_control_store(control_settings, "library") as store:
        with pytest.raises(ControlStoreUnavailable, match="airis migrate"):
            await titles(store)


async def test_services_do_not_see_each_other(control_settings: ControlSettings, store: ControlStore) -> None:
    await add(store, book("Hobbit"))
    async with open_control_store(control_settings, "archive") as other:
        with pytest.raises(ControlStoreUnavailable, match="schema"):
            await titles(other)


async def test_sqlite_is_durable_checked_and_for_its_owner_alone(
    sqlite_control: ControlSettings, library: dict[str, Path]
) -> None:
    await migrate_control(sqlite_control, lambda _: None, library)
    async with open_control_store(sqlite_control, "library") as store:
        await add(store, book("Hobbit"))

        async def pragmas(session: AsyncSession) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [await session.scalar(text(f"PRAGMA {name}")) for name in names]

        assert await store.read("pragmas", pragmas) == ["wal", 2, 1]
        assert sqlite_control.directory is not None
        for path in (sqlite_control.directory, *sqlite_control.directory.iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert (sqlite_control.directory / "library.sqlite3-wal").exists()


async def test_an_engine_that_is_away_is_503(sqlite_control: ControlSettings) -> None:
    assert sqlite_control.directory is not None
    sqlite_control.directory.write_text("a file where the directory should be")
    async with open_control_store(sqlite_control, "library") as store:
        with pytest.raises(ControlStoreUnavailable):
            await store.check()
