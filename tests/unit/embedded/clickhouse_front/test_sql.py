from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.clickhouse_front.sql import (
    Insert,
    Query,
    SqlError,
    parse,
    quote,
    quote_identifier,
    rename_words,
    split_types,
    tokens,
)


def insert(text: str) -> Insert:
    statement = parse(text)
    assert isinstance(statement, Insert)
    return statement


def query(text: str) -> Query:
    statement = parse(text)
    assert isinstance(statement, Query)
    return statement


def test_space_and_comments_are_no_tokens() -> None:
    text = "SELECT/* ' ; */1 -- '\n, # x\n'a;''b\\'c', `x\\`;`, \"y\", $t$ ' $t$ #!"
    assert [token.text for token in tokens(text)] == [
        "SELECT", "1", ",", "'a;''b\\'c'", ",", "`x\\`;`", ",", '"y"', ",", "$t$ ' $t$",
    ]  # fmt: skip


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_tokens_lie_in_order_and_any_text_is_taken_or_refused(text: str) -> None:
    position = 0
    for token in tokens(text):
        assert token.start >= position
        assert text[token.start : token.end] == token.text
        position = token.end
    try:
        parse(text)
    except SqlError as error:
        refusal = error
        assert refusal.code in {62, 78, 358, 477}


@pytest.mark.parametrize(
    ("text", "body", "closing", "name"),
    [
        ("SELECT 1", "SELECT 1", "", None),
        (" SELECT 1 ; ", "SELECT 1", "", None),
        ("SELECT 1 FORMAT Native", "SELECT 1 ", "FORMAT Native", "Native"),
        ("SELECT 1 format `CSV` SETTINGS a = 1, b = 'x;'", "SELECT 1 ", "format `CSV` SETTINGS a = 1, b = 'x;'", "CSV"),
        ("SELECT format FROM t AS format", "SELECT format FROM t AS format", "", None),
        ("SELECT (SELECT 1 FORMAT) FORMAT TSV", "SELECT (SELECT 1 FORMAT) ", "FORMAT TSV", "TSV"),
        ("SELECT 'x FORMAT y'", "SELECT 'x FORMAT y'", "", None),
    ],
)
def test_the_closing_format(text: str, body: str, closing: str, name: str | None) -> None:
    found = query(text)
    assert (found.body, found.closing, found.format) == (body, closing, name)
    assert found.text == body + closing


def test_a_result_goes_to_a_file_before_its_format() -> None:
    assert (
        query("SELECT 1").writing_to("/f", "TSV") == "SELECT 1\nINTO OUTFILE '/f' APPEND COMPRESSION 'none' FORMAT TSV"
    )
    assert query("SELECT 1 FORMAT CSV").writing_to("/f", "TSV").endswith("'none' FORMAT CSV")


@pytest.mark.parametrize("verb", ["SELECT 1", "with 1 as x select x", "(SELECT 1)", "FROM t SELECT 1"])
def test_what_has_rows(verb: str) -> None:
    assert query(verb).has_rows


def test_what_has_no_rows() -> None:
    for text in ("SHOW TABLES", "CREATE TABLE t AS SELECT 1", "INSERT INTO t SELECT 1", "EXPLAIN SELECT 1"):
        assert not query(text).has_rows
    assert query("CREATE OR REPLACE TEMPORARY TABLE t (a Int8)").temporary
    assert not query("CREATE TABLE temporary (a Int8)").temporary


@pytest.mark.parametrize(
    "text", ["", " -- x", ";", "SELECT 1; SELECT 2", "INSERT INTO t FORMAT", "INSERT INTO t FORMAT 'x'"]
)
def test_syntax_errors(text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse(text)
    assert caught.value.code == 62


def test_files_of_the_server_are_refused() -> None:
    for text, code in (("SELECT 1 INTO OUTFILE 'x'", 358), ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", 78)):
        with pytest.raises(SqlError) as caught:
            parse(text)
        assert caught.value.code == code
    with pytest.raises(SqlError) as caught:
        parse("INSERT INTO t SELECT * FROM input('a Int8')")
    assert caught.value.code == 477


@pytest.mark.parametrize(
    ("text", "rewritten", "data"),
    [
        ("INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t  FROM INFILE '/f' COMPRESSION 'none' FORMAT CSV", "1,2"),
        ("INSERT INTO t FORMAT CSV 1,2", "INSERT INTO t  FROM INFILE '/f' COMPRESSION 'none' FORMAT CSV", "1,2"),
        ("INSERT INTO t FORMAT CSV ;\r\n 1", "INSERT INTO t  FROM INFILE '/f' COMPRESSION 'none' FORMAT CSV", " 1"),
        ("INSERT INTO t FORMAT TSV\n\n1", "INSERT INTO t  FROM INFILE '/f' COMPRESSION 'none' FORMAT TSV", "\n1"),
        ("INSERT INTO t VALUES (1)", "INSERT INTO t  FROM INFILE '/f' COMPRESSION 'none' FORMAT Values", " (1)"),
        (
            "INSERT INTO `a b`.format (x, `values`) SETTINGS a = 'FORMAT' FORMAT CSV",
            "INSERT INTO `a b`.format (x, `values`)  FROM INFILE '/f' COMPRESSION 'none' SETTINGS a = 'FORMAT' FORMAT CSV",
            "",
        ),
        (
            "INSERT INTO values SELECT a FROM input('a Array(Int8)') WHERE f(input) FORMAT X\n",
            "INSERT INTO values SELECT a FROM file('/f', 'X', 'a Array(Int8)') WHERE f(input) ",
            "",
        ),
        (
            "INSERT INTO t WITH x.input('no') AS y SELECT input ( {p:String} ), '\\' FORMAT Y' FORMAT X",
            "INSERT INTO t WITH x.input('no') AS y SELECT file('/f', 'X',  {p:String} ), '\\' FORMAT Y' ",
            "",
        ),
    ],
)
def test_inserts_with_data(text: str, rewritten: str, data: str) -> None:
    found = insert(text)
    assert found.reading_from("/f") == rewritten
    assert text[found.data_start :] == data


@given(st.binary())
def test_data_is_never_read_as_sql(data: bytes) -> None:
    head = "INSERT INTO t (a) FORMAT RowBinary\n"
    found = insert(head + data.decode("latin-1"))
    assert found.data_start == len(head)


def test_inserts_without_data() -> None:
    assert query("INSERT INTO t SELECT 1 AS format").text == "INSERT INTO t SELECT 1 AS format"
    assert query("INSERT INTO t SELECT values FROM x;").text == "INSERT INTO t SELECT values FROM x"


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_quoting_makes_one_token(value: str) -> None:
    assert [token.kind for token in tokens(quote(value))] == ["string"]
    assert [token.kind for token in tokens(quote_identifier(value))] == ["quoted"]


def test_renaming_words() -> None:
    assert (
        rename_words("KILL QUERY WHERE query_id = 'query_id'", {"query_id": "id"}) == "KILL QUERY WHERE id = 'query_id'"
    )


def test_splitting_types() -> None:
    assert split_types("UInt8, Tuple(a Int8, b Enum8('x,' = 1)),String") == [
        "UInt8",
        "Tuple(a Int8, b Enum8('x,' = 1))",
        "String",
    ]
