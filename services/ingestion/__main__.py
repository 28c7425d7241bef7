"""Roles of ingestion."""

from collections.abc import Mapping

from libs.common.roles import Role, RoleFactory, run_from_command_line
from libs.common.settings import BusSettings, ClickHouseSettings, KeyFeedSettings
from services.ingestion.receivers.app import create_receiver
from services.ingestion.settings import ReceiverSettings, WriterSettings
from services.ingestion.writer import create_writer


def _receiver() -> Role:
    # Its secret has no default on purpose; mypy does not see that the environment fills it.
    return create_receiver(ReceiverSettings(), BusSettings(), KeyFeedSettings())  # type: ignore[call-arg]


def _writer() -> Role:
    return create_writer(WriterSettings(), BusSettings(), ClickHouseSettings())


ROLES: Mapping[str, RoleFactory] = {"receiver": _receiver, "writer": _writer}

if __name__ == "__main__":
    run_from_command_line("ingestion", ROLES)
