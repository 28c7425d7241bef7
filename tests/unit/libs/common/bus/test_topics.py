from pathlib import Path

import pytest
import yaml

from libs.common.bus.topic_check import main, problems
from libs.common.bus.topics import (
    REPOSITORY,
    InvalidContract,
    TopicDeclaration,
    load_declarations,
    untraced_topics,
)

CONTRACT = {
    "topic": "telemetry.traces",
    "owner": "ingestion",
    "description": "Payloads as they came from the receiver.",
    "producers": ["ingestion.receiver"],
    "consumers": [{"group": "ingestion-writer", "role": "ingestion.writer"}],
    "key": "none",
    "partitions": 4,
    "retention": {"hours": 24, "bytes_per_partition": 10_000},
    "max_record_bytes": 10_000,
}


def declared(**changes: object) -> TopicDeclaration:
    return TopicDeclaration.model_validate(CONTRACT | changes)


def service(repository: Path, name: str, code: str) -> None:
    folder = repository / "services" / name
    folder.mkdir(parents=True)
    (folder / "__main__.py").write_text("ROLES = {}\n")
    (folder / "consumer.py").write_text(code)


def test_the_contracts_of_this_repository_agree_with_its_code() -> None:
    assert problems(load_declarations(), REPOSITORY) == []


def test_telemetry_goes_to_dead_letters_and_traces_are_not_traced() -> None:
    found = {declaration.topic: declaration for declaration in load_declarations()}
    signals = ["telemetry.traces", "telemetry.logs", "telemetry.metrics"]
    assert [found[topic].dead_letters for topic in signals] == ["telemetry.dead_letters"] * 3
    assert [found[topic].groups for topic in signals] == [("ingestion-writer",)] * 3
    assert untraced_topics(found.values()) == {"telemetry.traces", "telemetry.dead_letters"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"topic": "Telemetry.traces"}, "topic: "),
        ({"partitions": 0}, "partitions: "),
        ({"retention": {"hours": 1}}, "retention.bytes_per_partition: "),
        ({"consumers": [{"group": "a/b", "role": "ingestion.writer"}]}, "consumers.0.group: "),
        ({"retentoin": 1}, "retentoin: "),
    ],
    ids=["name", "number", "missing", "group", "unknown field"],
)
def test_what_is_wrong_in_a_contract_is_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    (tmp_path / "telemetry.traces.yaml").write_text(yaml.safe_dump(CONTRACT | changes))
    with pytest.raises(InvalidContract, match=rf"telemetry.traces.yaml: .*{named}"):
        load_declarations(tmp_path)


def test_a_contract_is_named_after_its_topic(tmp_path: Path) -> None:
    (tmp_path / "telemetry.spans.yaml").write_text(yaml.safe_dump(CONTRACT))
    with pytest.raises(InvalidContract, match="declares telemetry"):
        load_declarations(tmp_path)
    (tmp_path / "telemetry.spans.yaml").write_text("a: [")
    with pytest.raises(InvalidContract, match="not YAML"):
        load_declarations(tmp_path)


@pytest.mark.parametrize(
    ("contracts", "said"),
    [
        ([declared(dead_letters="telemetry.traces")], "own dead_letters"),
        ([declared(dead_letters="telemetry.lost")], "telemetry.lost has no contract"),
        (
            [declared(dead_letters="telemetry.dead"), declared(topic="telemetry.dead", max_record_bytes=9_999)],
            "telemetry.dead.yaml: max_record_bytes is less",
        ),
        ([declared(consumers=CONTRACT["consumers"] * 2)], "named twice"),
        ([declared(owner="analytics")], "owner analytics"),
    ],
    ids=["own dead letters", "no dead letters", "small dead letters", "group twice", "owner"],
)
def test_contracts_must_agree_with_each_other(tmp_path: Path, contracts: list[TopicDeclaration], said: str) -> None:
    found = problems(contracts, tmp_path)
    assert len(found) == 1
    assert said in found[0]


def test_a_service_that_is_not_built_yet_may_be_declared(tmp_path: Path) -> None:
    assert problems([declared()], tmp_path) == []


def test_declared_and_not_used(tmp_path: Path) -> None:
    service(tmp_path, "ingestion", "TOPIC = 'telemetry.logs'")
    found = problems([declared()], tmp_path)
    assert found == [
        "telemetry.traces.yaml: names ingestion, whose code never mentions the topic",
        "telemetry.traces.yaml: names group ingestion-writer, which services/ingestion never mentions",
        "services/ingestion: uses telemetry.logs, which has no contract in contracts/topics",
    ]


def test_used_and_not_declared(tmp_path: Path) -> None:
    service(tmp_path, "ingestion", "GROUP, TOPIC = 'ingestion-writer', 'telemetry.traces'")
    service(tmp_path, "aiops", "TOPIC = 'telemetry.traces'\nATTRIBUTE = 'telemetry.sdk.name'")
    assert problems([declared()], tmp_path) == [
        "telemetry.traces.yaml: services/aiops uses the topic and is neither producer nor consumer"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "TOPIC = 'replay.chunks'",
        "TOPIC: str = 'replay.chunks'",
        "bus.send(topic='replay.chunks')",
        "TOPICS = ('replay.chunks',)",
    ],
)
def test_a_topic_of_a_family_without_contracts(tmp_path: Path, code: str) -> None:
    service(tmp_path, "session_replay", code + "\nATTRIBUTE = 'replay.chunk_count'")
    assert problems([declared()], tmp_path) == [
        "services/session_replay: uses replay.chunks, which has no contract in contracts/topics"
    ]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "telemetry.traces.yaml").write_text(yaml.safe_dump(CONTRACT | {"owner": "analytics"}))
    assert main(tmp_path, tmp_path) == 1
    assert "owner analytics" in capsys.readouterr().err
    (tmp_path / "telemetry.traces.yaml").write_text("a: [")
    assert main(tmp_path, tmp_path) == 1
    assert "not YAML" in capsys.readouterr().err
