"""Run the front: `python -m libs.embedded.clickhouse_front --host 127.0.0.1 --port 8123 --path DIR`."""

from __future__ import annotations

import argparse
import os

import uvicorn

from libs.embedded.clickhouse_front.app import Front, Limits
from libs.embedded.clickhouse_front.engine import Engine, Lane


def main() -> None:
    parser = argparse.ArgumentParser(prog="clickhouse_front", description="ClickHouse's HTTP interface over chDB")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--path", required=True)
    parser.add_argument("--max-memory", type=int, default=0)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--max-body", type=int, default=256 << 20)
    arguments = parser.parse_args()
    os.makedirs(arguments.path, exist_ok=True)
    engine = Engine(arguments.path, None)
    front = Front(
        engine, Lane("read", arguments.connections, 256), Lane("write", 2, 256), Limits(arguments.max_body),
        os.environ.get("AIRIS_CLICKHOUSE_USER", "default"), os.environ.get("AIRIS_CLICKHOUSE_PASSWORD", ""),
    )  # fmt: skip
    uvicorn.run(front, host=arguments.host, port=arguments.port, log_level="warning", lifespan="off", access_log=False, server_header=False, timeout_graceful_shutdown=20)
    engine.close()


if __name__ == "__main__":
    main()
