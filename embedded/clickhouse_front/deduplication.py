"""Before the engine opens its data: forget insert tokens of parts that never became visible.

MergeTree notes an insert's token and then makes its part visible (MergeTreeSink: addPart, renameTempPartAndAdd). Killed
between the two it would drop the retry of rows it never kept, in the table or in one that a materialised view feeds. At
start, when no insert runs, such a token is one whose part no directory covers.

`deduplication_logs/deduplication_log_N.txt` of a table has lines of operation (1 add, 2 drop), part and token, tab separated;
parts are directories `<partition>_<first block>_<last block>_<level>[_<mutation>]`.
"""

import os
import re
from collections import defaultdict
from pathlib import Path

_PART = re.compile(r"(?P<partition>[0-9a-z-]+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
_ADD = "1"

Blocks = dict[str, list[tuple[int, int]]]


def forget_lost_parts(data: Path) -> int:
    """Mend the logs of all tables below the engine's data directory; how many tokens were forgotten."""
    return sum(_mend(logs) for logs in data.glob("store/*/*/deduplication_logs"))


def _mend(logs: Path) -> int:
    files = {file: file.read_text(encoding="utf-8") for file in sorted(logs.glob("deduplication_log_*.txt"))}
    if not files:
        return 0
    lines = [line for text in files.values() for line in text.splitlines()]
    # Parts that expired were dropped on purpose, and the log says so.
    dropped = {line.partition("\t")[2] for line in lines if not line.startswith(_ADD)}
    blocks = _visible(logs.parent)
    lost = {line for line in lines if line.partition("\t")[2] not in dropped and _is_lost(line, blocks)}
    if lost:
        for file, text in files.items():
            _write_without(lost, file, text)
    return len(lost)


def _visible(table: Path) -> Blocks:
    """Ranges of blocks by partition, the widest first, because most blocks lie in merged parts."""
    found: Blocks = defaultdict(list)
    for entry in table.iterdir():
        if (name := _PART.fullmatch(entry.name)) is not None:
            found[name["partition"]].append((int(name["first"]), int(name["last"])))
    for ranges in found.values():
        ranges.sort(key=lambda blocks: blocks[0] - blocks[1])
    return found


def _write_without(lost: set[str], file: Path, text: str) -> None:
    part = file.with_suffix(".mended")
    with part.open("w", encoding="utf-8") as stream:
        stream.writelines(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in lost)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)


def _is_lost(line: str, blocks: Blocks) -> bool:
    operation, _, rest = line.partition("\t")
    name = _PART.fullmatch(rest.partition("\t")[0])
    if operation != _ADD or name is None:
        return False
    first, last = int(name["first"]), int(name["last"])
    return not any(low <= first and last <= high for low, high in blocks.get(name["partition"], ()))
