"""The count over all replicas, on an engine that is told of a cluster. A process of its own: chDB has one engine a process."""

import json
import subprocess
import sys
from pathlib import Path

STATEMENT = Path("services/ingestion/queries/stored_rows_on_replicas.sql")
_CLUSTER = """<clickhouse><tcp_port>9000</tcp_port><remote_servers><here><shard>
<replica><host>127.0.0.1</host><port>9000</port></replica>
</shard></here></remote_servers></clickhouse>"""
_ASK = """
import json, sys
import chdb
folder, statement = sys.argv[1:]
engine = chdb.connect(f"{folder}/data?config-file={folder}/cluster.xml")
engine.query("CREATE DATABASE audit")
engine.query("USE audit")
engine.query(
    "CREATE TABLE logs (bus_partition UInt32, bus_offset UInt64, received_at DateTime64(9, 'UTC'))"
    " ENGINE = MergeTree ORDER BY bus_offset"
)
engine.query("INSERT INTO logs VALUES (0, 6, 1), (0, 6, 1), (0, 7, 1), (0, 7, 900), (0, 9, 1), (1, 6, 1)")
values = {"cluster": "here", "table": "logs", "partition": 0, "first": 6, "last": 8, "earliest": 0, "latest": 60 * 10**9}
for name, value in values.items():
    engine.query(f"SET param_{name} = '{value}'")
print(engine.query(open(statement).read(), "JSONCompact"))
"""


def test_rows_of_one_partition_between_two_offsets_and_times(tmp_path: Path) -> None:
    (tmp_path / "cluster.xml").write_text(_CLUSTER)
    done = subprocess.run(
        (sys.executable, "-c", _ASK, str(tmp_path), str(STATEMENT)),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = sorted(json.loads(done.stdout)["data"])
    assert [(int(offset), int(count)) for offset, _, count in rows] == [(6, 2), (7, 1)]
