"""The rules of docs/extending.md, each as a function from a repository's root to what was forgotten, in words that say what to do.

Rules whose folder is not there yet (Kubernetes manifests, dashboards) hold for every service from the day it is.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import yaml

Rule = Callable[[Path], Iterator[str]]

RECEIVERS = "services/ingestion/receivers"
PAGES = "services/ui/web/src/pages"
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_PLACE = re.compile(r"`((?:[\w.<>-]+/)+[\w.<>-]*)`")


def services(root: Path) -> list[str]:
    """Packages that run as a service."""
    return sorted(file.parent.name for file in root.glob("services/*/__main__.py"))


def roles(root: Path) -> dict[str, list[str]]:
    """Roles by service, as its `ROLES` names them."""
    found: dict[str, list[str]] = {}
    for service in services(root):
        tree = ast.parse(_text(root / "services" / service / "__main__.py"))
        for node in ast.walk(tree):
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id == "ROLES" and isinstance(node.value, ast.Dict):
                found[service] = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
    return found


def process_name(service: str, role: str) -> str:
    """What a role's process is called where each has one: roles called `api` by their service."""
    return service if role == "api" else role


def service_has_a_readme(root: Path) -> Iterator[str]:
    for service, names in roles(root).items():
        readme = root / "services" / service / "README.md"
        text = _text(readme)
        if not text.startswith("# "):
            yield f"services/{service}/README.md: write one, beginning with a title"
        for role in names:
            if role != "api" and role not in text:
                yield f"services/{service}/README.md: does not speak of the role {role}"


def service_has_walls(root: Path) -> Iterator[str]:
    config = _text(root / "pyproject.toml")
    independent = re.search(r'type = "independence"\nmodules = \[(.*?)\]', config, re.DOTALL)
    for service in services(root):
        name = f'"services.{service}"'
        if independent is None or name not in independent[1]:
            yield f"pyproject.toml: add {name} to 'Services do not import each other'"
        if f"containers = [{name}]" not in config:
            yield f"pyproject.toml: give {name} a contract of layers"


def service_is_in_the_architecture(root: Path) -> Iterator[str]:
    text = _text(root / "docs/architecture.md")
    for service, names in roles(root).items():
        rows = [line for line in text.splitlines() if line.startswith(f"| {service} |")]
        for role in names:
            if not any(role in row for row in rows):
                yield f"docs/architecture.md: the table of services lacks {service} {role}"


def role_runs_in_compose_with_a_probe(root: Path) -> Iterator[str]:
    composed = yaml.safe_load(_text(root / "compose.yaml") or "{}").get("services", {}).values()
    for service, names in roles(root).items():
        for role in names:
            here = [
                one for one in composed if one.get("image") == f"airis-mon/{service}" and one.get("command") == [role]
            ]
            if not here:
                yield f"compose.yaml: nothing runs {service} {role}"
            elif not all("healthcheck" in one for one in here):
                yield f"compose.yaml: {service} {role} has no healthcheck"


def unprobed(declared: Mapping[str, list[str]], embedded: Mapping[str, tuple[bool, bool]]) -> Iterator[str]:
    """`embedded`: for each role that `airis up` runs, whether it is asked if it is ready and if it is alive."""
    for service, names in declared.items():
        for role in names:
            ready, alive = embedded.get(process_name(service, role), (None, None))
            if ready is None:
                yield f"embedded/layout.py: processes() does not run {service} {role}"
            elif not (ready and alive):
                yield f"embedded/layout.py: {service} {role} is not asked whether it is ready and alive"


def service_has_manifests(root: Path) -> Iterator[str]:
    if not (root / "k8s/base").is_dir():
        return
    for service, names in roles(root).items():
        folder = root / "k8s/base" / service.replace("_", "-")
        if not (folder / "kustomization.yaml").is_file():
            yield f"k8s/base/{folder.name}/kustomization.yaml: missing"
            continue
        workloads = [
            document
            for file in folder.glob("*.yaml")
            for document in yaml.safe_load_all(_text(file))
            if isinstance(document, dict) and document.get("kind") in {"Deployment", "StatefulSet", "Rollout"}
        ]
        for role in names:
            containers = [one for each in workloads for one in _containers(each) if role in (one.get("args") or [])]
            if not containers:
                yield f"k8s/base/{folder.name}: no workload has the args [{role}]"
            for probe in ("readinessProbe", "livenessProbe"):
                if not all(probe in one for one in containers):
                    yield f"k8s/base/{folder.name}: {role} has no {probe}"


def service_has_a_dashboard(root: Path) -> Iterator[str]:
    folders = [path for path in root.glob("k8s/**/dashboards") if path.is_dir()]
    if not folders:
        return
    found = {file.stem.replace("-", "_"): file for folder in folders for file in folder.glob("*.json")}
    for service in services(root):
        if service not in found:
            yield f"k8s/…/dashboards/{service}.json: missing"
        elif not json.loads(_text(found[service])).get("panels"):
            yield f"{found[service].relative_to(root)}: has no panels"


def worker_is_described(root: Path) -> Iterator[str]:
    for service in services(root):
        package = root / "services" / service
        sources = {path: _text(path) for path in package.rglob("*.py")}
        readme = _text(package / "README.md")
        for path, text in sources.items():
            for name in _worker_names(ast.parse(text)):
                where = path.relative_to(root)
                if name is None:
                    yield f"{where}: a Worker's name is a metric label; write it as a literal"
                elif f"`{name}`" not in readme:
                    yield f"services/{service}/README.md: say what the worker `{name}` does, when, and what its failing means"
        if any("Worker(" in text for text in sources.values()) and not any(
            "worker_role(" in text or "WorkerMetrics(" in text for text in sources.values()
        ):
            yield f"services/{service}: its workers have no metrics; run them by worker_role, or give Runner WorkerMetrics(registry)"


def setting_is_documented(root: Path) -> Iterator[str]:
    readmes = "\n".join(_text(path) for path in root.glob("services/*/README.md"))
    for service in services(root):
        for path in (root / "services" / service).glob("settings.py"):
            for group in _settings_groups(path):
                marker = f"<!-- settings: services.{service}.settings.{group} -->"
                if marker not in readmes:
                    yield f"services/{service}/README.md: add {marker} and <!-- end -->, then python -m cli.settings_tables --write"
    for prefix in re.findall(r'environment\("(AIRIS_\w+_)"\)', _text(root / "libs/common/settings.py")):
        if prefix not in readmes:
            yield f"services/*/README.md: no README names the shared settings {prefix}*"


def protocol_is_reached(root: Path) -> Iterator[str]:
    readme, app = _text(root / "services/ingestion/README.md"), _text(root / RECEIVERS / "app.py")
    for folder in sorted((root / RECEIVERS).glob("*/__init__.py")):
        name = folder.parent.name
        if f"{name}.ENDPOINTS" not in app:
            yield f"{RECEIVERS}/app.py: add *{name}.ENDPOINTS"
        if f"receivers/{name}/" not in readme:
            yield f"services/ingestion/README.md: does not speak of receivers/{name}/"
        if not any((root / "tests/contract/ingestion").glob(f"*{name}*")) and name != "otlp":
            yield f"tests/contract/ingestion/: no test of the protocol {name} with its real clients"


def page_is_registered_in_both_languages(root: Path) -> Iterator[str]:
    registry = _text(root / PAGES / "registry.ts")
    loaded = set(re.findall(r'import\("\./([\w-]+)/', registry))
    for folder in sorted(path for path in (root / PAGES).glob("*") if path.is_dir()):
        if folder.name not in loaded and list(folder.glob("page.tsx")):
            yield f"{PAGES}/registry.ts: no entry loads ./{folder.name}/page"
    for path, rest in re.findall(r'\n    path: "([^"]+)",\n(.*?)\n  \},', registry, re.DOTALL):
        title = re.search(r'title: \{ en: "([^"]+)", ko: "([^"]+)" \}', rest)
        if title is None:
            yield f"{PAGES}/registry.ts: {path} has no title in both languages"
        elif not _HANGUL.search(title[2]):
            yield f"{PAGES}/registry.ts: the Korean title of {path} is not Korean"


def stored_object_has_a_migration(root: Path) -> Iterator[str]:
    for tables in sorted(root.glob("services/*/control/tables.py")):
        versions = "\n".join(_text(path) for path in tables.parent.glob("versions/*.py"))
        for name in re.findall(r'Table\(\s*"(\w+)"', _text(tables)):
            if f'"{name}"' not in versions:
                yield f"{tables.relative_to(root).parent}/versions/: no migration makes the table {name}"


def decision_is_in_the_index(root: Path) -> Iterator[str]:
    index = _text(root / "docs/decisions/README.md")
    for path in sorted((root / "docs/decisions").glob("[0-9]*.md")):
        if f"({path.name})" not in index:
            yield f"docs/decisions/README.md: lacks {path.name}"


def guide_names_what_exists(root: Path) -> Iterator[str]:
    """Each path from the root in docs/extending.md, its <placeholders> standing for anything. k8s/ may not exist yet."""
    for place in sorted(set(_PLACE.findall(_text(root / "docs/extending.md")))):
        if not (root / place.split("/")[0]).is_dir():  # a name inside the folder that was just named, or k8s/
            continue
        pattern = re.sub(r"<[^>]*>", "*", place.rstrip("/"))
        if not any(root.glob(pattern)):
            yield f"docs/extending.md: {place} is not there"


RULES: tuple[Rule, ...] = (
    service_has_a_readme,
    service_has_walls,
    service_is_in_the_architecture,
    role_runs_in_compose_with_a_probe,
    service_has_manifests,
    service_has_a_dashboard,
    worker_is_described,
    setting_is_documented,
    protocol_is_reached,
    page_is_registered_in_both_languages,
    stored_object_has_a_migration,
    decision_is_in_the_index,
    guide_names_what_exists,
)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _containers(workload: dict) -> list[dict]:
    return workload.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def _worker_names(tree: ast.Module) -> Iterator[str | None]:
    """First arguments of `Worker(...)`; None for one that is no literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Worker":
            name = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "name"), None)
            yield name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def _settings_groups(path: Path) -> Iterator[str]:
    for node in ast.parse(_text(path)).body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "SettingsGroup" for base in node.bases):
            yield node.name
