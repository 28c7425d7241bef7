"""A small service with one table, on both engines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import BigInteger, Column, ForeignKey, String, Table

from libs.common.control_store import ControlStore, new_metadata, open_control_store
from libs.common.control_store.migrations import migrate_control
from libs.common.settings import ControlSettings

METADATA = new_metadata()
SHELVES = Table("shelves", METADATA, Column("id", String(64), primary_key=True))
BOOKS = Table(
    "books",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("title", String(200), nullable=False, unique=True),
    Column("shelf", String(64), ForeignKey("shelves.id")),
    Column("copies", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)
FIRST = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.create_table("shelves", sa.Column("id", sa.String(64), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_shelves"))
    op.create_table(
        "books",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("shelf", sa.String(64)),
        sa.Column("copies", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
        sa.UniqueConstraint("title", name="uq_books_title"),
        sa.ForeignKeyConstraint(["shelf"], ["shelves.id"], name="fk_books_shelf"),
    )
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.add_column("books", sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
"""


@pytest.fixture
def library(tmp_path: Path) -> dict[str, Path]:
    """The migrations of a service named library, as `migrate_control` takes them."""
    versions = tmp_path / "services" / "library" / "control" / "versions"
    versions.mkdir(parents=True)
    (versions / "v0001_books.py").write_text(FIRST)
    (versions / "v0002_versions.py").write_text(SECOND)
    return {"library": versions.parent}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def store(
    control_settings: ControlSettings, library: dict[str, Path], registry: CollectorRegistry
) -> AsyncIterator[ControlStore]:
    """The library's store, migrated and empty."""
    await migrate_control(control_settings, lambda _: None, library)
    async with open_control_store(control_settings, "library", registry=registry) as opened:
        yield opened
