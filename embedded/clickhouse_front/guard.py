"""What no role can forbid, and is forbidden here: the statement's syntax tree, as the engine's own parser sees it.

Roles keep an account to its tables. They do not keep it from the function `file`, from Python objects of this process, or
from tables of `system` that show what others ask, and the front's own way of reading a body needs a right that a statement
must not use for other files. So each statement is taken apart by `EXPLAIN AST` before it runs, once for each text.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from embedded.clickhouse_front.accounts import Account
from embedded.clickhouse_front.engine import Engine, EngineError, Job

_EXPLAIN = "EXPLAIN AST "
_REMEMBERED = 4096
_IDENTIFIER_PARAMETER = re.compile(r"\{\s*(\w+)\s*:\s*Identifier\s*\}")
_NODE = re.compile(r"(?P<depth> *)(?P<kind>\w+) ?(?P<name>.*?)(?: \(alias .*\))?(?: \(children \d+\))?")
_POSITION = re.compile(r"(failed at position )(\d+)")

# Everything else a table can be made of reads files, addresses, other servers or this process.
_TABLE_FUNCTIONS = frozenset(
    {"format", "generate_series", "generaterandom", "generateseries", "input", "null", "numbers", "numbers_mt", "primes",
     "values", "view", "zeros", "zeros_mt"}
)  # fmt: skip
_ENGINES = re.compile(
    r"(Replicated)?(Replacing|Summing|Aggregating|Collapsing|VersionedCollapsing|Graphite|Coalescing)?MergeTree"
    r"|Atomic|Replicated|Memory|Null|Set|Join|Log|TinyLog|StripeLog|View|MaterializedView"
)
# The engine knows no right for them.
_FUNCTIONS = frozenset({"file", "catboostevaluate"})
_STATEMENTS = frozenset({"SetRoleQuery", "ExecuteAsQuery", "BackupQuery", "Dictionary"})
_SOURCES = frozenset({"TableExpression", "InsertQuery", "DescribeQuery"})
_DATABASES = frozenset({"system", "information_schema"})


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    name: str
    parent: str


class Guard:
    """Looks at statements; blocks, so call it in a lane's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: OrderedDict[bytes, frozenset[_Node]] = OrderedDict()
        self._lock = Lock()

    def check(self, statement: str, parameters: Mapping[str, str], account: Account) -> None:
        """Raises EngineError ACCESS_DENIED, or the engine's own for a text it cannot parse."""
        for node in self._nodes(statement, parameters):
            if (reason := _refusal(node)) or (account.restricted and (reason := _restricted(node, account))):
                raise denied(account, reason)

    def _nodes(self, statement: str, parameters: Mapping[str, str]) -> frozenset[_Node]:
        # Names that come as parameters are part of the tree; other values are not.
        named = [parameters.get(name, "") for name in _IDENTIFIER_PARAMETER.findall(statement)]
        key = hashlib.sha256("\0".join([statement, *named]).encode("utf-8", "surrogateescape")).digest()
        with self._lock:
            if (known := self._seen.get(key)) is not None:
                self._seen.move_to_end(key)
                return known
        try:
            tree = self._engine.run(Job(_EXPLAIN + statement, "TSVRaw", parameters=parameters)).data
        except EngineError as error:
            shifted = _POSITION.sub(lambda match: f"{match[1]}{int(match[2]) - len(_EXPLAIN)}", error.message)
            raise EngineError(error.code, error.name, shifted) from error
        nodes = frozenset(_read(tree.decode("utf-8", "replace")))
        with self._lock:
            self._seen[key] = nodes
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return nodes


def denied(account: Account, reason: str) -> EngineError:
    return EngineError(497, "ACCESS_DENIED", f"{account.name}: Not enough privileges. {reason}.")


def check_database(name: str | None, account: Account) -> None:
    """Raises EngineError when a restricted account wants to work in a database of the engine."""
    if account.restricted and name is not None and name.lower() in _DATABASES:
        raise denied(account, f"{name} is not for this account")


def _read(tree: str) -> Iterator[_Node]:
    """Nodes that a rule can be about, with the kind of their parent."""
    kinds: list[str] = []
    before = ""
    for line in tree.split("\n"):
        match = _NODE.fullmatch(line)
        if match is None:
            continue
        depth = len(match["depth"])
        del kinds[depth:]
        parent = kinds[-1] if kinds else ""
        if parent == "Storage" and before != parent:
            parent = "Clause"  # PARTITION BY and ORDER BY follow the engine
        before = match["kind"]
        kinds.append(match["kind"])
        node = _Node(match["kind"], match["name"], parent)
        if len(kinds) == 1 or _matters(node):
            yield node


def _matters(node: _Node) -> bool:
    if node.kind == "Function":
        return node.parent in _SOURCES or node.parent == "Storage" or node.name.lower() in _FUNCTIONS
    if node.kind in {"Identifier", "TableIdentifier"}:
        return "/" in node.name or node.name.partition(".")[0].lower() in _DATABASES
    return node.kind in _STATEMENTS


def _refusal(node: _Node) -> str:
    """Why nobody may do this, "" when somebody may."""
    if node.kind in _STATEMENTS:
        return "This kind of statement is not served here"
    if node.kind in {"Identifier", "TableIdentifier"} and "/" in node.name:
        # chDB reads a table's name that is a path as the file.
        return f"{node.name} looks like a path, and files are not served here"
    if node.kind == "Function":
        name = node.name.lower()
        if node.parent in _SOURCES and name not in _TABLE_FUNCTIONS:
            return f"The table function {node.name} is not served here"
        if node.parent == "Storage" and not _ENGINES.fullmatch(node.name):
            return f"The engine {node.name} is not served here"
        if name in _FUNCTIONS:
            return f"The function {node.name} is not served here"
    return ""


def _restricted(node: _Node, account: Account) -> str:
    """Why an account of a service may not do this."""
    if node.kind == "ShowProcesslistQuery" or (node.kind == "UseQuery" and node.name.lower() in _DATABASES):
        return "What others do is not for this account"
    if node.kind in {"Identifier", "TableIdentifier"}:
        database, _, table = node.name.partition(".")
        if database.lower() in _DATABASES and table and table not in (account.system_tables or ()):
            return f"{node.name} is not for this account"
    return ""
