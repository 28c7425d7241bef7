from pathlib import Path

from cli.declared_schema import compare, read_declared, write_declared

A = "CREATE TABLE airis.a\n(\n    `x` UInt8\n)\nENGINE = MergeTree\n"


def test_every_difference_names_its_file() -> None:
    assert compare({"a": A, "b": A}, {"b": A, "c": A}) == [
        "declared/a.sql: missing; the migrations make this table",
        "declared/c.sql: no migration makes this table",
    ]
    assert compare({"a": A}, {"a": A.replace("UInt8", "String")}) == [
        "declared/a.sql: says '`x` String', the migrations make '`x` UInt8'"
    ]
    assert compare({"a": A + "ORDER BY x\n"}, {"a": A}) == ["declared/a.sql: says '', the migrations make 'ORDER BY x'"]
    assert compare({"a": A}, {"a": A}) == []


def test_writing_leaves_what_was_given_and_nothing_else(tmp_path: Path) -> None:
    write_declared(tmp_path / "declared", {"a": A, "b": A})
    write_declared(tmp_path / "declared", {"b": "B\n"})
    assert read_declared(tmp_path / "declared") == {"b": "B\n"}
