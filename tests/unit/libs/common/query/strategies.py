"""Random queries: trees, and texts that are almost queries."""

from hypothesis import strategies as st

from libs.common.query.ast import (
    KEYWORDS,
    OPERATORS,
    PIPE,
    SCOPES,
    WORD,
    Comparison,
    Exists,
    Key,
    Not,
    Query,
    SpanPath,
    SpanSet,
    Text,
    Value,
    conjunction,
    disjunction,
    is_bare_value,
    to_text,
)

_CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
ANY_TEXT = st.text(_CHARACTERS, max_size=12)
_TEXTS = st.one_of(
    ANY_TEXT,
    st.text(st.sampled_from(list('ab.1"\\()=<>!~ \t한é')), max_size=8),
    st.sampled_from(
        ["AND", "OR", "NOT", "exists", "resource.", "resource.x", "service", "duration", "200ms", "한국어"]
    ),
)


def _is_word(text: str) -> bool:
    return WORD.fullmatch(text) is not None and text not in KEYWORDS


def _is_bare_key(name: str) -> bool:
    scoped = name.startswith(tuple(f"{scope}." for scope in SCOPES))
    pasted = "://" in name or (name.startswith("/") and "?" in name)
    return _is_word(name) and name != PIPE and not scoped and not pasted and is_bare_value(f"x{name}")


_names = st.one_of(
    st.sampled_from(["service", "http.route", "exists", "k8s.pod/name", "한국", "a~b", "!x", "a!"]), _TEXTS
)
KEYS = st.one_of(
    _names.filter(_is_bare_key).map(Key),
    _TEXTS.map(lambda name: Key(name, "attribute")),
    st.builds(Key, _TEXTS, st.sampled_from(SCOPES)),
)
VALUES = st.one_of(_TEXTS.map(lambda text: Value(text, quoted=True)), _TEXTS.filter(is_bare_value).map(Value))
TERMS: st.SearchStrategy[Query] = st.one_of(
    st.builds(Comparison, KEYS, st.sampled_from(OPERATORS), VALUES),
    st.builds(Exists, KEYS),
    st.builds(Text, _TEXTS.filter(bool)),
    st.builds(Text, st.sampled_from(["*", "a*", "*.b*", "한*"]), st.just(True)),
)


def queries(terms: st.SearchStrategy[Query] = TERMS) -> st.SearchStrategy[Query]:
    return st.recursive(
        terms,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map(conjunction),
            st.lists(inner, min_size=2, max_size=3).map(disjunction),
            st.builds(Not, inner),
        ),
        max_leaves=8,
    )


def trace_queries() -> st.SearchStrategy[Query]:
    """Conditions on whole traces: sets of spans and paths among the terms."""
    sets = st.builds(SpanSet, st.one_of(st.none(), queries()))
    paths = st.lists(sets, min_size=2, max_size=4).flatmap(
        lambda found: st.builds(
            SpanPath, st.just(tuple(found)), st.tuples(*[st.sampled_from([">", ">>"]) for _ in found[1:]])
        )
    )
    return queries(st.one_of(TERMS.filter(_stands_outside_braces), sets, paths))


def _stands_outside_braces(term: Query) -> bool:
    return not to_text(term).removeprefix("exists ").startswith(("{", "}"))


# Pieces of the language in any order: most are wrong in one place, which is where parsers break.
_PIECES = st.sampled_from(
    ["a", "service", "=", "!=", ">=", "=~", "!~", "(", ")", '"', '\\"', '"x y"', " ", "AND", "OR", "NOT", "exists"]
    + [
        "resource.",
        "~",
        "!",
        "\\",
        "1.5s",
        "한국",
        "\t",
        "-5",
        "1e999",
        "NaN",
        "status",
        "error",
        "trace_id",
        "duration",
    ]
)
ALMOST_QUERIES = st.one_of(
    st.lists(_PIECES, max_size=14).map("".join), st.lists(_PIECES, max_size=14).map(" ".join), ANY_TEXT
)
