"""Faults that can be switched on and off while the shop runs, and the file through which that happens.

The control file is `{"version": 1, "active": ["payment-errors"]}`. It is replaced as a whole, so a reader sees the old
or the new one, never half of one; writers take turns on a lock file beside it.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator


class UnknownFault(ValueError):
    """No fault has this name; the message lists those that exist."""


class InvalidControlFile(ValueError):
    """The control file is not one of ours; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A drill: what is broken, and where a good on-call engineer should end up looking."""

    name: str
    service: str
    en: str
    ko: str

    def description(self, language: Literal["en", "ko"] = "en") -> str:
        return self.ko if language == "ko" else self.en


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "checkout-latency",
            "checkout",
            "A report job in checkout takes almost all database connections: orders wait for one, some give up.",
            "checkout의 리포트 작업이 데이터베이스 커넥션을 거의 다 차지해 주문이 커넥션을 기다리고 일부는 실패합니다.",
        ),
        Fault(
            "payment-errors",
            "payment",
            "The card provider mostly answers 503 or not at all: payment retries, and often fails in the end.",
            "카드사 API가 대부분 503을 돌려주거나 응답하지 않아 payment가 재시도를 거듭하다 자주 실패합니다.",
        ),
        Fault(
            "inventory-db-lock",
            "inventory",
            "A stock reconciliation holds row locks for seconds: reservations in inventory run into the lock timeout.",
            "재고 대사 작업이 몇 초씩 행 잠금을 잡아 inventory의 재고 예약이 잠금 시간 초과로 실패합니다.",
        ),
        Fault(
            "memory-leak-recommendation",
            "recommendation",
            "recommendation leaks memory: garbage collection pauses grow until the container is killed and starts again.",
            "recommendation에서 메모리 누수가 발생해 GC 정지가 길어지다가 컨테이너가 강제 종료되고 재시작됩니다.",
        ),
        Fault(
            "bad-deploy-cart",
            "cart",
            "A new version of cart fails on carts with a promotion code.",
            "cart 새 버전이 프로모션 코드가 있는 장바구니에서 오류를 냅니다.",
        ),
        Fault(
            "traffic-spike",
            "storefront",
            "Five times the usual traffic: everything slows down, storefront sheds load.",
            "평소의 다섯 배 트래픽이 몰려 전체가 느려지고 storefront가 일부 요청을 거절합니다.",
        ),
        Fault(
            "slow-consumer-notification",
            "notification",
            "The mail relay barely answers: notification falls behind and its consumer lag grows.",
            "메일 릴레이의 응답이 거의 없어 notification의 소비가 밀리고 컨슈머 랙이 커집니다.",
        ),
        Fault(
            "network-partition-shipping",
            "shipping",
            "Most connections to shipping time out: no quotes, orders cannot be placed.",
            "shipping으로 가는 연결 대부분이 시간 초과되어 배송비 조회와 주문이 실패합니다.",
        ),
    )
}


class _ControlFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1] = 1
    active: list[str] = []

    @field_validator("active")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            find(name)
        return names


def find(name: str) -> Fault:
    """Raises UnknownFault."""
    try:
        return FAULTS[name]
    except KeyError:
        raise UnknownFault(f"there is no fault {name!r}; there are: {', '.join(sorted(FAULTS))}") from None


def active(path: Path) -> frozenset[str]:
    """Names of the faults that are on; none when there is no file. Raises InvalidControlFile."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise InvalidControlFile(f"cannot read {path}: {error.strerror}") from None
    try:
        return frozenset(_ControlFile.model_validate_json(content).active)
    except ValidationError as error:
        reasons = "; ".join(entry["msg"] for entry in error.errors(include_url=False, include_input=False))
        raise InvalidControlFile(f"{path} is not a valid control file ({reasons}); delete it to start over") from None


def activate(path: Path, name: str) -> frozenset[str]:
    """Switch a fault on; what is on afterwards. Raises UnknownFault, InvalidControlFile, OSError."""
    return _change(path, name, lambda names, changed: names | {changed})


def deactivate(path: Path, name: str) -> frozenset[str]:
    """Switch a fault off; what is on afterwards. Raises UnknownFault, InvalidControlFile, OSError."""
    return _change(path, name, lambda names, changed: names - {changed})


def _change(path: Path, name: str, change: Callable[[frozenset[str], str], frozenset[str]]) -> frozenset[str]:
    find(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        names = change(active(path), name)
        _replace(path, _ControlFile(active=sorted(names)).model_dump_json() + "\n")
    return names


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The lock is a file of its own because the control file is replaced, and a lock dies with its inode.
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(path: Path, content: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
