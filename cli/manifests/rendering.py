"""From a kustomize folder to objects."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Object: TypeAlias = dict[str, Any]
RENDER_SECONDS = 60
# What a pod template stands in, and where.
_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Rollout": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


class RenderFailed(Exception):
    """kubectl kustomize refused the folder; the message is its own."""


def render(folder: Path) -> "Manifests":
    """All objects of a kustomize folder. Raises RenderFailed."""
    try:
        done = subprocess.run(
            ("kubectl", "kustomize", str(folder)), capture_output=True, text=True, timeout=RENDER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RenderFailed(f"kubectl kustomize {folder}: {error}") from error
    if done.returncode != 0:
        raise RenderFailed(done.stderr.strip())
    return Manifests.parse(done.stdout)


@dataclass(frozen=True, slots=True)
class Workload:
    """An object that makes pods."""

    object: Object
    template: Object

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.template.get("metadata", {}).get("labels", {}))

    @property
    def pod(self) -> Object:
        return dict(self.template.get("spec", {}))

    @property
    def containers(self) -> list[Object]:
        return list(self.pod.get("containers", []))

    @property
    def all_containers(self) -> list[Object]:
        return [*self.pod.get("initContainers", []), *self.containers]

    @property
    def ports(self) -> list[Object]:
        return [port for container in self.containers for port in container.get("ports", [])]

    def port_number(self, target: str | int) -> int | None:
        """The container port behind a name or number; None when no container opens it."""
        for port in self.ports:
            if target in {port.get("name"), port["containerPort"]}:
                return int(port["containerPort"])
        return None

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Manifests:
    """The objects of one rendering."""

    objects: list[Object] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str) -> "Manifests":
        return cls([document for document in yaml.safe_load_all(text) if document])

    def of(self, *kinds: str) -> Iterator[Object]:
        """Objects of these kinds."""
        return (item for item in self.objects if item["kind"] in kinds)

    def find(self, kind: str, name: str) -> Object | None:
        """The object of this kind and name."""
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    @cached_property
    def workloads(self) -> list[Workload]:
        """Everything that makes pods."""
        made = []
        for item in self.objects:
            path = _TEMPLATES.get(item["kind"])
            if path is None:
                continue
            template = item
            for part in path:
                template = template.get(part) or {}
            made.append(Workload(item, template))
        return made

    def selected(self, selector: dict[str, str]) -> list[Workload]:
        """Workloads whose pods carry all these labels; none for an empty selector."""
        return [work for work in self.workloads if selector and selector.items() <= work.labels.items()]


def label_of(item: Object) -> str:
    """How findings name an object."""
    return f"{item['kind']}/{item['metadata']['name']}"
