"""Where the browser is and how it is started: alone, without a sandbox of its own, calling nobody."""

import os
import shutil
from pathlib import Path

from libs.common.testing import require

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def chromium() -> str:
    """The executable's path; skips the test when there is none."""
    path = os.environ.get("AIRIS_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None or not Path(path).exists():
        require("browser", "no chromium on PATH; AIRIS_TEST_CHROMIUM may name one")
    return path
