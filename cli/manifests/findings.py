"""What a rule says, and the list of rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from cli.manifests.rendering import Manifests
from embedded.layout import ROOT


@dataclass(frozen=True, slots=True)
class Context:
    """What the rules compare the objects with."""

    flows: dict[str, Any]
    # Partitions of each topic, as contracts/topics declares them.
    partitions: dict[str, int]
    # Every AIRIS_* variable that some settings group reads.
    variables: frozenset[str]
    # Kubernetes names of the services that have code.
    services: frozenset[str]

    @classmethod
    def of(cls, root: Path = ROOT) -> "Context":
        """As this repository is."""
        from cli.manifests.settings_names import variables

        topics = [yaml.safe_load(file.read_text("utf-8")) for file in (root / "contracts" / "topics").glob("*.yaml")]
        return cls(
            flows=yaml.safe_load((root / "k8s" / "flows.yaml").read_text("utf-8")),
            partitions={topic["topic"]: topic["partitions"] for topic in topics},
            variables=variables(),
            services=frozenset(
                path.parent.name.replace("_", "-") for path in (root / "services").glob("*/__main__.py")
            ),
        )


Check: TypeAlias = Callable[[Manifests, Context], Iterator[str]]
RULES: dict[str, Check] = {}


def rule(check: Check) -> Check:
    """Add a check to the list under its function's name, with dashes. Its docstring says what goes wrong otherwise."""
    RULES[check.__name__.replace("_", "-")] = check
    return check


def findings(manifests: Manifests, context: Context) -> list[str]:
    """Everything the rules have to say, `rule: object: what`."""
    return [f"{name}: {said}" for name, check in RULES.items() for said in check(manifests, context)]
