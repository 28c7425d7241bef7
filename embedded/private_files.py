"""Files for their owner alone: telemetry, keys and password hashes lie in them, and a machine has other users."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """From now on what this process and its children make is 0600 and 0700, whatever program makes it."""
    os.umask(_OTHERS)


def make_private(directory: Path) -> int:
    """Take everything at and below `directory` away from group and others; how many entries had to be mended.

    The directory itself comes first, so that nobody gets past it while the rest is mended. Links are left alone, since
    what they lead to is not ours; entries that vanish meanwhile are fine. Raises PermissionError for another user's files.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    mended = _close(directory, directory.stat().st_mode)
    for entry in _below(str(directory)):
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
            if not stat.S_ISLNK(mode):
                mended += _close(entry.path, mode)
        except FileNotFoundError:
            continue
    return mended


def _close(path: str | Path, mode: int) -> int:
    if not mode & _OTHERS:
        return 0
    Path(path).chmod(stat.S_IMODE(mode) & ~_OTHERS)
    return 1


def _below(directory: str) -> Iterator[os.DirEntry[str]]:
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue
