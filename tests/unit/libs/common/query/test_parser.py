import pytest
from hypothesis import example, given, settings

from libs.common.errors import InvalidQuery
from libs.common.query.ast import (
    And,
    Comparison,
    Exists,
    Key,
    Not,
    Or,
    Query,
    SpanPath,
    SpanSet,
    Text,
    Value,
    to_text,
)
from libs.common.query.parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, parse, parse_key
from tests.unit.libs.common.query.strategies import ALMOST_QUERIES, KEYS, queries, trace_queries


def term(key: str, operator: str, value: str, *, quoted: bool = False) -> Comparison:
    return Comparison(Key(key), operator, Value(value, quoted=quoted))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", None),
        (" \t\n", None),
        ("service=checkout", term("service", "=", "checkout")),
        ("service = checkout", term("service", "=", "checkout")),
        ("a! =b", term("a!", "=", "b")),
        ("a!!=b", term("a!", "!=", "b")),
        ("code==200", term("code", "=", "200")),
        ('name="GET /cart"', term("name", "=", "GET /cart", quoted=True)),
        (r'name=~"\d+ \"x\" \\"', term("name", "=~", '\\d+ "x" \\', quoted=True)),
        ("url=http://x/y?a=b&c=(d)", term("url", "=", "http://x/y?a=b&c=(d)")),
        ("(name=~a(b|c))", term("name", "=~", "a(b|c)")),
        ("a=b c!=d", And((term("a", "=", "b"), term("c", "!=", "d")))),
        ("a=b AND c!=d", And((term("a", "=", "b"), term("c", "!=", "d")))),
        ("a>1 OR b>=2 c<3", Or((term("a", ">", "1"), And((term("b", ">=", "2"), term("c", "<", "3")))))),
        ("(a>1 OR b>=2) c<=3", And((Or((term("a", ">", "1"), term("b", ">=", "2"))), term("c", "<=", "3")))),
        ("NOT a=b c=d", And((Not(term("a", "=", "b")), term("c", "=", "d")))),
        ("NOT (a=b c=d)", Not(And((term("a", "=", "b"), term("c", "=", "d"))))),
        ("NOT NOT a!~b", Not(Not(term("a", "!~", "b")))),
        ("exists http.route", Exists(Key("http.route"))),
        ('exists resource."a b"', Exists(Key("a b", "resource"))),
        ("exists=5", term("exists", "=", "5")),
        ("exists", Text("exists")),
        ("file exists AND x", And((Text("file"), Text("exists"), Text("x")))),
        ("resource.host.name=a", Comparison(Key("host.name", "resource"), "=", Value("a"))),
        ('"status"=x', Comparison(Key("status", "attribute"), "=", Value("x"))),
        ('connection and "timed out"', And((Text("connection"), Text("and"), Text("timed out")))),
        ("can't ~/x !", And((Text("can't"), Text("~/x"), Text("!")))),
        ("결제 실패", And((Text("결제"), Text("실패")))),
        ("foo(bar)", And((Text("foo"), Text("bar")))),
        ("service:checkout", term("service", "=", "checkout")),
        ('service:"a b"', term("service", "=", "a b", quoted=True)),
        ("url:http://x/y?a=b", term("url", "=", "http://x/y?a=b")),
        ("event.exception.type:A*", Comparison(Key("exception.type", "event"), "=", Value("A*"))),
        ("a:b=colon", term("a:b", "=", "colon")),
        ("error: 12:30:45 ::1 C:\\temp", And((Text("error:"), Text("12:30:45"), Text("::1"), Text("C:\\temp")))),
        ("https://h/p?a=1&b=2#f", Text("https://h/p?a=1&b=2#f")),
        ("(https://h/p?a=(1))", Text("https://h/p?a=(1)")),
        ("jdbc:mysql://db/x GET", And((Text("jdbc:mysql://db/x"), Text("GET")))),
        ("/cart?a=b&c=d", Text("/cart?a=b&c=d")),
        ("time*out", Text("time*out", wildcard=True)),
        ('"*"', Text("*")),
        ('link."a b"=c', Comparison(Key("a b", "link"), "=", Value("c"))),
        ("{OriginalFormat}=x", term("{OriginalFormat}", "=", "x")),
    ],
)
def test_reads(text: str, tree: Query | None) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("service=", 8, "a value"),
        ("service= ", 9, "a value"),
        ("a=b )", 4, "a term"),
        ("(a=b", 4, "closing parenthesis"),
        ("()", 1, "a term"),
        ('say "hello', 4, "closing quote"),
        ('a="x', 2, "closing quote"),
        ('a=b"c"', 2, "in quotes"),
        ("a=(b c)", 2, "in quotes"),
        ("=5", 0, "a term"),
        ("a OR", 4, "a term"),
        ("AND a", 0, "a term"),
        ("NOT", 3, "a term"),
        ('""', 0, "text inside"),
        ("a=b \0", 4, "Unicode"),
        ("a\ud800", 1, "Unicode"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "at most"),
        ("a " * (MAX_TERMS + 1), 2 * MAX_TERMS, "at most"),
        ("(" * 100 + "a" + ")" * 100, MAX_DEPTH + 1, "fewer"),
        ("NOT " * 100 + "a", 0, "fewer"),
        ("a=b}", 2, "in quotes"),
        ("a=b | count()", 4, "/api/v1/query"),
    ],
)
def test_points_at_what_is_wrong(text: str, position: int, expected: str) -> None:
    with pytest.raises(InvalidQuery) as raised:
        parse(text)
    assert raised.value.position == position
    assert expected in raised.value.expected
    assert raised.value.extra == {"position": position, "expected": raised.value.expected}


A, B = SpanSet(term("service", "=", "a")), SpanSet(term("status", "=", "error"))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("{service=a}", A),
        ("{ service=a } { status=error }", And((A, B))),
        ("{service=a} > {status=error}", SpanPath((A, B), (">",))),
        ("{service=a}>>{status=error} > {}", SpanPath((A, B, SpanSet(None)), (">>", ">"))),
        ("NOT {status=error} trace.duration>1s", And((Not(B), term("trace.duration", ">", "1s")))),
        ("{name={x}} {y}", And((SpanSet(term("name", "=", "{x}")), SpanSet(Text("y"))))),
    ],
)
def test_reads_conditions_on_traces(text: str, tree: Query) -> None:
    assert parse(text, traces=True) == tree


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("{a=b", 4, "closing brace"),
        ("{a=b} >> c", 9, "span set"),
        ("{a=b c", 6, "closing brace"),
        ("{a=b} }", 6, "a term"),
    ],
)
def test_points_at_what_is_wrong_in_span_sets(text: str, position: int, expected: str) -> None:
    with pytest.raises(InvalidQuery) as raised:
        parse(text, traces=True)
    assert (raised.value.position, expected in raised.value.expected) == (position, True)


@given(trace_queries())
@settings(max_examples=300)
def test_conditions_on_traces_print_and_parse(query: Query) -> None:
    assert parse(to_text(query), traces=True) == query


@given(queries())
@example(Comparison(Key("!", "resource"), "=~", Value("", quoted=True)))
@example(Comparison(Key("a!"), "=", Value("b")))
@settings(max_examples=500)
def test_printing_and_parsing_give_the_same_tree(query: Query) -> None:
    assert parse(to_text(query)) == query


@given(KEYS)
def test_a_key_alone_reads_back(key: Key) -> None:
    assert parse_key(str(key)) == key


@given(ALMOST_QUERIES)
@settings(max_examples=1000)
def test_any_text_parses_or_says_where_it_does_not(text: str) -> None:
    try:
        tree = parse(text)
    except InvalidQuery as error:
        assert 0 <= error.position <= len(text)
        assert error.expected
        assert error.detail
    else:
        assert tree is None or parse(to_text(tree)) == tree


@pytest.mark.parametrize("text", ["", "a b", "=", '"a', "AND"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(InvalidQuery):
        parse_key(text)
