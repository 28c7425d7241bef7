"""Build the web UI with the Node that comes as a wheel, when its sources changed."""

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from libs.embedded.layout import ROOT

WEB = ROOT / "services" / "ui" / "web"
STATIC = ROOT / "services" / "ui" / "static"
STAMP = STATIC / ".sources"
_IGNORED = frozenset({"node_modules", "dist", "mock"})


class BuildFailed(Exception):
    """npm failed; the message has the end of its output."""


def sources_hash() -> str:
    """Hash over names and contents of everything the build reads."""
    digest = hashlib.sha256()
    for file in sorted(WEB.rglob("*")):
        if file.is_file() and not _IGNORED & set(file.relative_to(WEB).parts):
            digest.update(str(file.relative_to(WEB)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def is_built() -> bool:
    """Whether the built files belong to the present sources."""
    return STAMP.exists() and STAMP.read_text() == sources_hash()


def build() -> None:
    """Install what the lock names and build. Raises BuildFailed."""
    wanted = sources_hash()
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
    for step in (("ci", "--no-audit", "--no-fund"), ("run", "build")):
        done = subprocess.run(
            [str(Path(scripts) / "npm"), *step],
            cwd=WEB, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        if done.returncode:
            raise BuildFailed(f"npm {' '.join(step)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    STAMP.write_text(wanted)


if __name__ == "__main__":
    if not is_built():
        build()
    sys.stdout.write(f"{STATIC.relative_to(ROOT)} is up to date\n")
