"""From a topic into a store, each record once, whoever dies when (ADR 0003, 0014, 0015).

A service says how records of a topic become rows, and gets batches, intents, tokens, retries, dead letters, a memory budget
and pacing:

    class ReplaySink:                                     # see sink.py for what each method promises
        name = "replays"
        def rows(self, record): return 1                  # how many rows stored_rows will find
        def received_ns(self, record): return record.timestamp_ms * 1_000_000
        def normalised(self, record): return None
        async def memory(self): ...                       # libs.common.clickhouse.deduplication.insert_memory
        async def insert(self, batch, token): ...         # insert_raw(..., token=token, query_id=token)
        async def end_insert(self, token): ...            # ClickHouse.end_query
        async def stored_rows(self, batch): ...           # a column each for partition, offset and receive time
        async def try_statement(self): ...

    dead_letters = DeadLetters(producer, "replays.dead_letters", settings, clock)
    writer = Writer({"replays.chunks": ReplaySink()}, dead_letters, settings, clock, WriterMetrics(registry),
                    stall=longest_stall(bus, store))
    async with open_consumer(bus, "replay-writer", ["replays.chunks"], writer, clock) as consumer:
        await writer.run(consumer, stop)

`worker.py` is one partition, `storing.py` one batch, `writer.py` the process; `batch.py` has what stands in commits and tokens.
"""

from libs.common.pipeline.batch import Batch
from libs.common.pipeline.dead_letters import DeadLetters
from libs.common.pipeline.metrics import WriterMetrics
from libs.common.pipeline.pacing import WindowTooSmall
from libs.common.pipeline.settings import PipelineSettings
from libs.common.pipeline.sink import Memory, Rejected, Sink, TooLarge
from libs.common.pipeline.writer import Writer, longest_stall

__all__ = [
    "Batch",
    "DeadLetters",
    "Memory",
    "PipelineSettings",
    "Rejected",
    "Sink",
    "TooLarge",
    "WindowTooSmall",
    "Writer",
    "WriterMetrics",
    "longest_stall",
]
