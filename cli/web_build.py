"""Build the web UI with the Node that comes as a wheel, when its sources changed."""

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Literal

from cli.web_budget import over_budget
from embedded.layout import ROOT

WEB = ROOT / "services" / "ui" / "web"
STATIC = ROOT / "services" / "ui" / "static"
STAMP = STATIC / ".sources"
_INSTALLED = WEB / "node_modules" / ".airis-installed"
# "schema.ts" is made from openapi.json, and only for the type checker.
_IGNORED = frozenset({"node_modules", "dist", "schema.ts"})

# Building needs a third of the packages that checking needs.
Packages = Literal["build", "all"]


class BuildFailed(Exception):
    """npm failed, or what it built is too heavy; the message says why."""


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
    install("build")
    _npm("run", "build")
    STAMP.write_text(wanted)


def check() -> None:
    """Types, lint and unit tests of the web UI, and the weight of what is built. Raises BuildFailed."""
    install("all")
    _npm("run", "check")
    if not is_built():
        build()
    heavy = over_budget(STATIC)
    if heavy:
        raise BuildFailed("\n".join(heavy))


def install(packages: Packages) -> None:
    """What the lock names, unless it is there: everything serves for building as well. Raises BuildFailed."""
    lock = hashlib.sha256((WEB / "package.json").read_bytes() + (WEB / "package-lock.json").read_bytes()).hexdigest()
    present = _INSTALLED.read_text() if _INSTALLED.exists() else ""
    if present in {f"{packages} {lock}", f"all {lock}"}:
        return
    _npm("ci", "--no-audit", "--no-fund", *(("--omit=dev",) if packages == "build" else ()))
    _INSTALLED.write_text(f"{packages} {lock}")


def _npm(*arguments: str) -> None:
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [str(Path(scripts) / "npm"), *arguments],
        cwd=WEB, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    if done.returncode:
        raise BuildFailed(f"npm {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def main() -> None:
    """Build when needed; `--check` checks types, lint, unit tests and weight."""
    try:
        if "--check" in sys.argv[1:]:
            check()
            sys.stdout.write("the web UI's sources are in order\n")
            return
        if not is_built():
            build()
        sys.stdout.write(f"{STATIC.relative_to(ROOT)} is up to date\n")
    except (BuildFailed, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
