"""Do the topic contracts agree with each other and with the code?"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from libs.common.bus.topics import TopicDeclaration


def problems(declarations: Iterable[TopicDeclaration], repository: Path) -> list[str]:
    """One line for each disagreement, naming the file to change."""
    by_topic = {declaration.topic: declaration for declaration in declarations}
    literals = {service.name: set(_literals(service)) for service in _services(repository)}
    return [
        *_between_contracts(by_topic),
        *_declared_and_not_used(by_topic, literals),
        *_used_and_not_declared(by_topic, literals),
    ]


def _between_contracts(by_topic: dict[str, TopicDeclaration]) -> Iterator[str]:
    for topic, declaration in by_topic.items():
        dead_letters = declaration.dead_letters
        if dead_letters is not None:
            if dead_letters == topic:
                yield f"{topic}.yaml: is its own dead_letters; a record that cannot be read would go in circles"
            elif dead_letters not in by_topic:
                yield f"{topic}.yaml: dead_letters {dead_letters} has no contract"
            elif by_topic[dead_letters].max_record_bytes < declaration.max_record_bytes:
                yield f"{dead_letters}.yaml: max_record_bytes is less than that of {topic}, whose records must fit"
        if len(set(declaration.groups)) != len(declaration.groups):
            yield f"{topic}.yaml: a group is named twice"
        for service in _roles_by_service(declaration):
            if declaration.owner == service:
                break
        else:
            yield f"{topic}.yaml: owner {declaration.owner} neither produces nor consumes it"


def _declared_and_not_used(by_topic: dict[str, TopicDeclaration], literals: dict[str, set[str]]) -> Iterator[str]:
    for topic, declaration in by_topic.items():
        for service in _roles_by_service(declaration):
            # A service without roles is not built yet; its contract may come first.
            if service in literals and topic not in literals[service]:
                yield f"{topic}.yaml: names {service}, whose code never mentions the topic"
        for consumer in declaration.consumers:
            service = _service(consumer.role)
            if service in literals and consumer.group not in literals[service]:
                yield f"{topic}.yaml: names group {consumer.group}, which services/{service} never mentions"


def _used_and_not_declared(by_topic: dict[str, TopicDeclaration], literals: dict[str, set[str]]) -> Iterator[str]:
    families = "|".join(sorted({re.escape(topic.split(".", 1)[0]) for topic in by_topic}))
    # Two parts only: OpenTelemetry has attributes such as telemetry.sdk.name.
    like_a_topic = re.compile(rf"^({families})\.[a-z][a-z0-9_]*$") if families else re.compile(r"(?!)")
    for service, texts in literals.items():
        for text in sorted(texts):
            if text in by_topic:
                if service not in _roles_by_service(by_topic[text]):
                    yield f"{text}.yaml: services/{service} uses the topic and is neither producer nor consumer"
            elif like_a_topic.match(text):
                yield f"services/{service}: uses {text}, which has no contract in contracts/topics"


def _roles_by_service(declaration: TopicDeclaration) -> set[str]:
    roles = (*declaration.producers, *(consumer.role for consumer in declaration.consumers))
    return {_service(role) for role in roles}


def _service(role: str) -> str:
    return role.split(".", 1)[0]


def _services(repository: Path) -> Iterator[Path]:
    """Services that have roles."""
    return (main.parent for main in sorted((repository / "services").glob("*/__main__.py")))


def _literals(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
