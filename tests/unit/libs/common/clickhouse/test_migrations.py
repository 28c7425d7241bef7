"""Reading migrations; applying them is tested on a real engine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.clickhouse.migrations import MigrationRefused, fill, load_migrations, only_if, split
from libs.common.settings import ClickHouseSettings

ONE = ClickHouseSettings(database="airis")
CLUSTER = ClickHouseSettings(database="airis", cluster="main", replicated=True)

line = st.text(st.sampled_from("abc ();',-$\t`"), max_size=12).filter(
    lambda text: text.strip() and not text.rstrip().endswith(";") and not text.lstrip().startswith("--")
)
statement = st.lists(line, min_size=1, max_size=4).map("\n".join)
comment = st.text(st.sampled_from("abc ;'"), max_size=8).map(lambda text: f"  -- {text}")


@given(st.lists(st.tuples(st.lists(comment, max_size=2), statement), max_size=5), st.lists(comment, max_size=2))
def test_statements_are_found_between_comments_as_they_were_written(parts, rest: list[str]) -> None:
    text = "".join(f"{''.join(c + chr(10) for c in comments)}{sql};\n\n" for comments, sql in parts) + "\n".join(rest)
    assert split(text) == [sql.strip() for _, sql in parts]


@given(statement)
def test_a_statement_cut_off_is_refused(sql: str) -> None:
    with pytest.raises(MigrationRefused, match="does not end with ';'"):
        split(f"SELECT 1;\n{sql}")


def test_semicolons_inside_a_line_do_not_end_a_statement() -> None:
    assert split("SELECT ';', 1\nFROM t;\n") == ["SELECT ';', 1\nFROM t"]


def test_placeholders_make_one_file_serve_one_machine_and_a_cluster() -> None:
    sql = "CREATE TABLE ${DATABASE}.a ${ON_CLUSTER} (x UInt8) ENGINE = ${REPLICATED}MergeTree ORDER BY x"
    assert fill(sql, ONE) == "CREATE TABLE airis.a  (x UInt8) ENGINE = MergeTree ORDER BY x"
    assert (
        fill(sql, CLUSTER) == "CREATE TABLE airis.a ON CLUSTER 'main' (x UInt8) ENGINE = ReplicatedMergeTree ORDER BY x"
    )


def test_a_statement_keeps_the_condition_above_it() -> None:
    first, second = split(
        "-- About it.\n-- Only if: SELECT 1 FROM t\nRENAME TABLE t TO u;\n\nSELECT\n-- Only if: no\n2;\n"
    )
    assert only_if(first) == "SELECT 1 FROM t"
    assert second == "SELECT\n2"
    assert only_if(second) is None


@pytest.mark.parametrize("sql", ["${ENGINE}", "${DATABASE", "${}", "${database}"])
def test_an_unknown_placeholder_is_refused_with_the_known_ones(sql: str) -> None:
    with pytest.raises(MigrationRefused, match="DATABASE, ON_CLUSTER, REPLICATED, DEDUPLICATION"):
        fill(sql, ONE)


def test_files_are_read_by_number(tmp_path: Path) -> None:
    (tmp_path / "0002_b.sql").write_text("SELECT 2;")
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    first, second = load_migrations(tmp_path)
    assert (str(first), str(second)) == ("0001_a", "0002_b")
    assert first.checksum != second.checksum
    assert first.render(ONE) == ["SELECT 1"]


@pytest.mark.parametrize("name", ["1_a.sql", "0001.sql", "0001_A.sql", "0001-a.sql"])
def test_a_misnamed_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationRefused, match="NNNN_<what>"):
        load_migrations(tmp_path)


def test_a_number_used_twice_is_refused(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationRefused, match="0001_b and 0001_a share a number"):
        load_migrations(tmp_path)


def test_a_file_without_a_statement_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("-- nothing yet\n")
    with pytest.raises(MigrationRefused, match="0001_a holds no statement"):
        load_migrations(tmp_path)
