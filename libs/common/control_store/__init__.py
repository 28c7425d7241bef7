"""What people own and change: transactions, uniqueness and versions, on SQLite or PostgreSQL (docs/control-store.md)."""

from libs.common.control_store.schema import new_metadata
from libs.common.control_store.statements import insert_if_absent
from libs.common.control_store.store import AlreadyExists, ControlStore, open_control_store
from libs.common.control_store.versions import etag, require_version, version_of

__all__ = [
    "AlreadyExists",
    "ControlStore",
    "etag",
    "insert_if_absent",
    "new_metadata",
    "open_control_store",
    "require_version",
    "version_of",
]
