"""Do the topic contracts agree with each other and with the code? `python -m libs.common.bus.topic_check`."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from libs.common.bus.topics import CONTRACTS, REPOSITORY, InvalidContract, TopicDeclaration, load_declarations

_DOTTED = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def problems(declarations: Iterable[TopicDeclaration], repository: Path) -> list[str]:
    """One line for each disagreement, naming the file to change."""
    by_topic = {declaration.topic: declaration for declaration in declarations}
    trees = {service.name: _trees(service) for service in _services(repository)}
    literals = {service: set(_literals(*trees[service])) for service in trees}
    called_topics = {service: set(_called_topics(trees[service])) for service in trees}
    return [
        *_between_contracts(by_topic),
        *_declared_and_not_used(by_topic, literals),
        *_used_and_not_declared(by_topic, literals, called_topics),
    ]


def main(contracts: Path = CONTRACTS, repository: Path = REPOSITORY) -> int:
    """0 when contracts and code agree, else 1 with one line per problem."""
    try:
        found = problems(load_declarations(contracts), repository)
    except InvalidContract as error:
        found = [str(error)]
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return 1 if found else 0


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


def _used_and_not_declared(
    by_topic: dict[str, TopicDeclaration], literals: dict[str, set[str]], called_topics: dict[str, set[str]]
) -> Iterator[str]:
    families = "|".join(sorted({re.escape(topic.split(".", 1)[0]) for topic in by_topic}))
    # Two parts only: OpenTelemetry has attributes such as telemetry.sdk.name.
    like_a_topic = re.compile(rf"^({families})\.[a-z][a-z0-9_]*$") if families else re.compile(r"(?!)")
    for service, texts in literals.items():
        for text in sorted(texts):
            if text in by_topic:
                if service not in _roles_by_service(by_topic[text]):
                    yield f"{text}.yaml: services/{service} uses the topic and is neither producer nor consumer"
            elif like_a_topic.match(text) or text in called_topics[service]:
                yield f"services/{service}: uses {text}, which has no contract in contracts/topics"


def _roles_by_service(declaration: TopicDeclaration) -> set[str]:
    roles = (*declaration.producers, *(consumer.role for consumer in declaration.consumers))
    return {_service(role) for role in roles}


def _service(role: str) -> str:
    return role.split(".", 1)[0]


def _services(repository: Path) -> Iterator[Path]:
    """Services that have roles."""
    return (main.parent for main in sorted((repository / "services").glob("*/__main__.py")))


def _trees(folder: Path) -> list[ast.AST]:
    return [ast.parse(file.read_text(encoding="utf-8"), filename=str(file)) for file in folder.rglob("*.py")]


def _literals(*trees: ast.AST) -> Iterator[str]:
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _called_topics(trees: Iterable[ast.AST]) -> Iterator[str]:
    """Dotted names given to a variable or argument that is called a topic, of whatever family."""
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.keyword(arg=str(name), value=value):
                    names = [name]
                case ast.Assign(targets=targets, value=value):
                    names = [ast.unparse(target) for target in targets]
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    names = [ast.unparse(target)]
                case _:
                    continue
            if any("topic" in name.lower() for name in names):
                yield from (text for text in _literals(value) if _DOTTED.fullmatch(text))


if __name__ == "__main__":
    sys.exit(main())
