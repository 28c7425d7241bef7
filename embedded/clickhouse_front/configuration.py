"""The engine's server configuration: small caches, few threads, a memory cap, roles, no system logs (chDB keeps none by default)."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import psutil

from embedded.clickhouse_front.accounts import write_users

MIB = 1 << 20


def default_memory_bytes() -> int:
    """A quarter of the machine, between 1 and 4 GiB: the engine shares a laptop with everything else on it."""
    return max(1024 * MIB, min(4096 * MIB, psutil.virtual_memory().total // 4))


def write_configuration(path: Path, max_memory_bytes: int) -> Path:
    """Write the engine's configuration below the data directory and return where."""
    settings: dict[str, object] = {
        "max_server_memory_usage": max_memory_bytes,
        # Caches hold memory for ever; the page cache of the kernel serves a local disk well enough.
        "mark_cache_size": 64 * MIB,
        "primary_index_cache_size": 64 * MIB,
        "index_mark_cache_size": 8 * MIB,
        "vector_similarity_index_cache_size": 0,
        "text_index_tokens_cache_size": 8 * MIB,
        "text_index_header_cache_size": 8 * MIB,
        "text_index_postings_cache_size": 16 * MIB,
        "query_condition_cache_size": 16 * MIB,
        "parquet_metadata_cache_size": MIB,
        "compiled_expression_cache_size": 16 * MIB,
        "uncompressed_cache_size": 0,
        "mmap_cache_size": 64,
        "max_thread_pool_size": 400,
        "max_thread_pool_free_size": 8,
        "max_io_thread_pool_size": 16,
        "max_format_parsing_thread_pool_size": 8,
        "max_active_parts_loading_thread_pool_size": 4,
        "max_outdated_parts_loading_thread_pool_size": 2,
        "max_parts_cleaning_thread_pool_size": 4,
        "background_pool_size": 2,
        "background_schedule_pool_size": 2,
        "tmp_path": f"{path / 'tmp'}/",
        "user_files_path": f"{path / 'user_files'}/",
        # Schemas that come as settings are compiled below here; the default is the working directory.
        "format_schema_path": f"{path / 'format_schemas'}/",
    }
    # The bus forgets a record once it is stored, so stored must mean on disk. Measured: +15 ms for an insert of 7 parts.
    merge_tree = {"fsync_after_insert": 1, "fsync_part_directory": 1}
    nested = "".join(f"<{name}>{value}</{name}>" for name, value in merge_tree.items())
    lines = "".join(f"  <{name}>{escape(str(value))}</{name}>\n" for name, value in settings.items())
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    users = path / "users.xml"
    write_users(users)
    directories = f"<user_directories><users_xml><path>{escape(str(users))}</path></users_xml></user_directories>"
    target = path / "engine.xml"
    temporary = target.with_suffix(".xml.new")
    temporary.write_text(f"<clickhouse>\n{lines}  <merge_tree>{nested}</merge_tree>\n  {directories}\n</clickhouse>\n")
    temporary.replace(target)
    return target
