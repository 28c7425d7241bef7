"""Who may ask, and as what the engine runs it.

chDB opens every connection as its user `default` and cannot be told a password, but it keeps ClickHouse's roles: the front
authenticates, and runs each statement with the account's role alone (`SET ROLE`). Accounts and roles are those of
schema/clickhouse/accounts.xml, which a ClickHouse server takes as it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from embedded.clickhouse_front.engine import EngineError
from embedded.clickhouse_front.requests import Credentials

ACCOUNTS = Path(__file__).parents[2] / "schema" / "clickhouse" / "accounts.xml"
# A person at the console: all of the data and the engine's own state, and nothing of the machine around it.
_OPERATOR_ROLE = "front_operator"
# Reads the body of an INSERT ... SELECT FROM input(), which the engine opens as a file.
INPUT_ROLE = "front_input"
_ENGINE_ROLE = "front_engine"
_OWN_ROLES: Mapping[str, tuple[str, ...]] = {
    _ENGINE_ROLE: ("GRANT ALL ON *.*",),
    INPUT_ROLE: ("GRANT CREATE TEMPORARY TABLE ON *.*", "GRANT READ ON FILE"),
    _OPERATOR_ROLE: (
        "GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP, TRUNCATE, OPTIMIZE ON *.*",
        "GRANT CHECK, KILL QUERY, SYSTEM, INTROSPECTION, CREATE TEMPORARY TABLE ON *.*",
        "GRANT TABLE ENGINE ON *",
        # Without it chDB's own database `default` says of every name that it is a table. The guard knows no file.
        "GRANT READ ON FILE",
    ),
}


@dataclass(frozen=True, slots=True)
class Account:
    """A name and what it may do: the engine's `role`, and tables of `system` it may read, None for all."""

    name: str
    role: str
    system_tables: frozenset[str] | None
    password_sha256: bytes = field(repr=False)

    @property
    def restricted(self) -> bool:
        return self.system_tables is not None


# What a driver asks when it connects, and what says nothing about others.
_SYSTEM_TABLES = frozenset(
    {"one", "numbers", "numbers_mt", "settings", "tables", "columns", "databases", "functions", "formats"}
)


class Accounts:
    """All accounts that have a password."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = {account.name: account for account in accounts}

    def authenticate(self, asking: Credentials) -> Account:
        """Raises EngineError, the same for an unknown name and a wrong password."""
        account = self._accounts.get(asking.user)
        given = hashlib.sha256(asking.password.encode("utf-8", "surrogateescape")).digest()
        if account is None or not hmac.compare_digest(given, account.password_sha256):
            detail = f"{asking.user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise EngineError(516, "AUTHENTICATION_FAILED", detail)
        return account


def operator(name: str, password: str) -> Account:
    """The account of people and of this machine's own commands."""
    return Account(name, _OPERATOR_ROLE, None, hashlib.sha256(password.encode()).digest())


def declared(environment: Mapping[str, str], file: Path = ACCOUNTS) -> list[Account]:
    """Accounts of the file whose password the environment has. Raises ValueError for one that is no SHA-256 in hex."""
    found = []
    for user in ET.parse(file).getroot().iterfind("users/*"):  # noqa: S314 (our own file)
        password = user.find("password_sha256_hex")
        assert password is not None, f"{user.tag} has no password_sha256_hex"
        variable = password.attrib["from_env"]
        if not (value := environment.get(variable, "")):
            continue
        digest = bytes.fromhex(value)
        if len(digest) != hashlib.sha256().digest_size:
            raise ValueError(f"{variable} is no SHA-256 in hex")
        tables = _SYSTEM_TABLES | _granted_system_tables(user.tag, file)
        found.append(Account(user.tag, user.tag, tables, digest))
    return found


def write_users(target: Path, file: Path = ACCOUNTS) -> None:
    """Write the engine's users file: the declared roles and the front's own, all held by the one user the engine has."""
    root = ET.Element("clickhouse")
    for name in ("profiles", "quotas"):
        ET.SubElement(ET.SubElement(root, name), "default")
    roles = ET.SubElement(root, "roles")
    for role in ET.parse(file).getroot().iterfind("roles/*"):  # noqa: S314 (our own file)
        roles.append(role)
    for name, grants in _OWN_ROLES.items():
        _grant(ET.SubElement(roles, name), grants)
    user = ET.SubElement(ET.SubElement(root, "users"), "default")
    ET.SubElement(user, "no_password")
    for name in ("profile", "quota"):
        ET.SubElement(user, name).text = "default"
    ET.SubElement(ET.SubElement(user, "networks"), "ip").text = "::/0"
    _grant(user, [f"GRANT {', '.join(role.tag for role in roles)}"])
    part = target.with_suffix(".new")
    part.write_bytes(ET.tostring(root))
    part.replace(target)


def _grant(element: ET.Element, statements: Iterable[str]) -> None:
    grants = ET.SubElement(element, "grants")
    for statement in statements:
        ET.SubElement(grants, "query").text = statement


def _granted_system_tables(role: str, file: Path) -> frozenset[str]:
    prefix = "GRANT SELECT ON system."
    queries = ET.parse(file).getroot().iterfind(f"roles/{role}/grants/query")  # noqa: S314 (our own file)
    return frozenset(text.removeprefix(prefix) for query in queries if (text := query.text or "").startswith(prefix))
