"""What a service brings: how records of one topic become rows, and what its store answers."""

import math
from dataclasses import dataclass
from typing import Protocol

from libs.common.bus.protocol import Record
from libs.common.pipeline.batch import Batch


class Rejected(Exception):
    """The store understood and said no. Trying again is of no use: either the data are at fault or our statement is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLarge(Exception):
    """The store cannot take this much at once, at least now. Less may pass."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Memory:
    """What the store keeps of inserts, in the table and in all that its views feed: the least of them.

    `atomic`: token and rows are committed together (replicated engines), so a known token means stored rows. A single
    server notes the token first; killed in between it drops the retry of rows it never kept. `tokens` is how many it
    remembers, `seconds` how long; `setting` names what to raise.
    """

    atomic: bool
    tokens: int
    seconds: float = math.inf
    setting: str = "non_replicated_deduplication_window"


class Sink(Protocol):
    """One topic's way into a store. See libs/common/pipeline/__init__.py for an example."""

    @property
    def name(self) -> str:
        """For labels of metrics; one of a few."""
        ...

    def rows(self, record: Record) -> int:
        """Rows that the record makes in the table that `stored_rows` counts; 0 when it makes none there."""
        ...

    def received_ns(self, record: Record) -> int:
        """When the record was received, in unix nanoseconds; freshness is measured from it."""
        ...

    def normalised(self, record: Record) -> Record | None:
        """The record written in another way that the store may read, after it refused the first one; None without such."""
        ...

    async def memory(self) -> Memory:
        """Asked once. Raises StoreUnavailable."""
        ...

    async def insert(self, batch: Batch, token: str) -> None:
        """Store all rows of the batch at once, or none when `token` is known. The token is the statement's id, too.

        Raises Rejected, TooLarge, or Unavailable when the outcome is unknown.
        """
        ...

    async def end_insert(self, token: str) -> None:
        """Return when no insert of this token runs any more, whoever began it. Raises StoreUnavailable."""
        ...

    async def stored_rows(self, batch: Batch) -> dict[int, int]:
        """Rows in the store per offset of the batch's records, and of no other life's; consistent, or an error.

        Raises QueryTimeout, QueryTooExpensive or StoreUnavailable.
        """
        ...

    async def try_statement(self) -> None:
        """Insert nothing. Raises StoreRejected when it is the statement, the schema or a setting that the store refuses."""
        ...
