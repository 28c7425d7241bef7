"""SQL in files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.clickhouse.statements import InvalidStatement, load_statements, parse_statement


def test_a_folder_of_statements_is_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "one.sql").write_text("SELECT {tenant:String} AS t, {a:Array(UInt64)}, {m:Map(String, UInt8)};\n")
    (tmp_path / "two.sql").write_text("-- why\nSELECT 1\n")
    (tmp_path / "notes.txt").write_text("not SQL")
    statements = load_statements(tmp_path)
    assert sorted(statements) == ["one", "two"]
    assert statements["one"].parameters == {"tenant", "a", "m"}
    assert not statements["one"].sql.endswith(";")
    assert len(statements) == 2


def test_a_missing_statement_lists_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "one.sql").write_text("SELECT 1")
    with pytest.raises(KeyError, match="no statement 'two'; there are one"):
        load_statements(tmp_path)["two"]


def test_a_package_is_named_by_its_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_package_with_queries"
    (package / "queries").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "queries" / "one.sql").write_text("SELECT 1")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_statements("some_package_with_queries")["one"].sql == "SELECT 1"


def test_a_folder_without_statements_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidStatement, match=r"no \.sql files"):
        load_statements(tmp_path)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- only a comment",
        "SELECT 1; SELECT 2",
        "SELECT %(tenant)s",
        "SELECT {tenant}",
        "SELECT ${TENANT}",
        "SELECT %s",
    ],
)
def test_statements_that_are_not_accepted(sql: str) -> None:
    with pytest.raises(InvalidStatement, match="name:"):
        parse_statement("name", sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ';', '%s', '{x}', 'it''s {y:String}', 'a\\';'",
        "SELECT 1 -- {tenant} and %s; as text\n",
        'SELECT /* {tenant}; */ `a;b`, "c;d"',
        "SELECT 7 % 2, x LIKE '%s'",
    ],
)
def test_braces_and_signs_inside_texts_mean_nothing(sql: str) -> None:
    assert parse_statement("name", sql).parameters == frozenset()


_TEXTS = st.text(st.sampled_from("ab {}:;%s'`\"\\-/*\n"), max_size=12)


@given(
    st.text(st.sampled_from("ab {}:;%s-*"), max_size=12),
    st.sampled_from(["'{}'", "`{}`", '"{}"', "-- {}\n", "/* {} */"]),
)
def test_no_quoted_text_or_comment_is_taken_for_a_parameter(text: str, form: str) -> None:
    sql = f"SELECT {form.format(text)} AS x, {{tenant:String}}"
    assert parse_statement("name", sql).parameters == {"tenant"}


@given(_TEXTS)
def test_any_text_is_a_statement_or_refused(text: str) -> None:
    try:
        statement = parse_statement("name", text)
    except InvalidStatement as error:
        assert str(error).startswith("name: ")
    else:
        assert statement.sql
