"""Topics as declared in contracts/topics/<topic>.yaml, their only home: who writes, who reads, how long it is kept.

`python -m libs.common.bus.topic_check` compares the contracts with each other and with the code.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

REPOSITORY = Path(__file__).resolve().parents[3]
CONTRACTS = REPOSITORY / "contracts" / "topics"

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=100)]
# Part of Redis keys, where "/" and ":" separate.
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=100)]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z_]+$")]


class InvalidContract(Exception):
    """A contract file does not say what it must. The message names file and field."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConsumerGroup(_Declared):
    """A group that reads a topic. What it has not committed is kept, as far as retention allows."""

    group: GroupName
    role: RoleName


class Retention(_Declared):
    """When records go although a group has not committed them. Redis Streams drop them as soon as all groups have."""

    hours: int = Field(ge=1)
    bytes_per_partition: int = Field(ge=1024)


class TopicDeclaration(_Declared):
    """One contract file."""

    topic: TopicName
    owner: str
    description: str = Field(min_length=20)
    producers: tuple[RoleName, ...] = Field(min_length=1)
    consumers: tuple[ConsumerGroup, ...]
    # What the key is and what order it keeps; "none" spreads records evenly.
    key: str
    # On Kafka. Redis Streams use fewer, see BusSettings.partitions.
    partitions: int = Field(ge=1, le=1024)
    retention: Retention
    # Of the value.
    max_record_bytes: int = Field(ge=1024)
    dead_letters: TopicName | None = None
    trace_context: bool = True
    headers: dict[str, str] = Field(default_factory=dict)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(consumer.group for consumer in self.consumers)


def load_declarations(folder: Path = CONTRACTS) -> tuple[TopicDeclaration, ...]:
    """Every contract in `folder`, by topic name. Raises InvalidContract."""
    return tuple(_load(file) for file in sorted(folder.glob("*.yaml")))


def untraced_topics(declarations: Iterable[TopicDeclaration]) -> frozenset[str]:
    """Topics whose records carry no trace context: transporting traces must not make traces."""
    return frozenset(declaration.topic for declaration in declarations if not declaration.trace_context)


def _load(file: Path) -> TopicDeclaration:
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        declaration = TopicDeclaration.model_validate(content)
    except yaml.YAMLError as error:
        raise InvalidContract(f"{file.name}: not YAML: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, entry['loc'])) or 'document'}: {entry['msg']}" for entry in error.errors()]
        raise InvalidContract(f"{file.name}: {'; '.join(lines)}") from None
    if file.stem != declaration.topic:
        raise InvalidContract(f"{file.name}: declares {declaration.topic}; a contract is named after its topic")
    return declaration
