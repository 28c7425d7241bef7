"""What another user of the machine can get at: no file of the installation, and no engine without a password."""

import os
import pwd
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from libs.common.testing import require
from tests.system.conftest import Product

pytestmark = pytest.mark.timeout(400)
STRANGER = "nobody"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def everything(product: Product) -> list[Path]:
    return [product.data_dir, *product.data_dir.rglob("*")]


def open_to_others(product: Product) -> dict[str, str]:
    found = {}
    for entry in everything(product):
        try:
            mode = stat.S_IMODE(entry.lstat().st_mode)
        except FileNotFoundError:  # merged away meanwhile
            continue
        if not entry.is_symlink() and mode & OTHERS:
            found[str(entry)] = oct(mode)
    return found


@contextmanager
def way_in(directory: Path) -> Iterator[None]:
    """Folders above and the directory itself opened, so that only what lies in it keeps a stranger out."""
    closed = [
        (folder, stat.S_IMODE(folder.stat().st_mode))
        for folder in (directory, *directory.parents)
        if not folder.stat().st_mode & stat.S_IXOTH
    ]
    try:
        for folder, mode in closed:
            folder.chmod(mode | stat.S_IXOTH | stat.S_IROTH)
        yield
    finally:
        for folder, mode in closed:
            folder.chmod(mode)


def readable_for_a_stranger(paths: list[Path]) -> list[str]:
    """Which of them `nobody` may read, asked of the kernel in a process of that user."""
    script = 'while IFS= read -r path; do if [ -r "$path" ] || [ -w "$path" ]; then printf "%s\\n" "$path"; fi; done'
    account = pwd.getpwnam(STRANGER)
    done = subprocess.run(
        ["sh", "-c", script], input="\n".join(map(str, paths)) + "\n", user=account.pw_uid, group=account.pw_gid,
        extra_groups=[], cwd="/", env={}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def need_root() -> None:
    if os.geteuid() != 0:
        require("root", "only root can become another user")


def test_nothing_is_open_to_other_users(product: Product) -> None:
    assert len(everything(product)) > 100
    assert open_to_others(product) == {}


def test_another_user_reads_no_file_even_past_the_first_door(product: Product) -> None:
    need_root()
    inside = everything(product)[1:]
    with way_in(product.data_dir):
        probe = product.data_dir / "probe"
        probe.touch()
        probe.chmod(0o644)
        try:
            # That the question is answered at all: a file left open is found.
            assert readable_for_a_stranger([probe]) == [str(probe)]
        finally:
            probe.unlink()
        assert readable_for_a_stranger(inside) == []
    assert readable_for_a_stranger([product.data_dir, product.data_dir / "secrets.json"]) == []


def test_engines_answer_nobody_without_a_password(product: Product) -> None:
    with socket.create_connection(("127.0.0.1", product.ports.redis), timeout=5) as connection:
        connection.sendall(b"KEYS *\r\n")
        assert connection.recv(200).startswith(b"-NOAUTH")
    url = f"http://127.0.0.1:{product.ports.clickhouse}/"
    for headers in ({}, {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "default"}):
        answer = httpx.post(url, content="SELECT 1", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_an_installation_that_stands_open_is_closed_by_the_next_start(product: Product) -> None:
    assert product.airis("down").returncode == 0
    for entry in everything(product):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    assert len(open_to_others(product)) > 100
    product.up()
    assert open_to_others(product) == {}
