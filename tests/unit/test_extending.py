"""What docs/extending.md asks for is there, and each rule notices when it is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded.layout import Layout, Ports, Secrets, processes
from libs.common.bus import topic_check
from libs.common.bus.topics import load_declarations
from tests.unit import extending

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", extending.RULES, ids=lambda rule: rule.__name__)
def test_nothing_is_forgotten(rule: extending.Rule) -> None:
    assert list(rule(ROOT)) == []


def test_every_role_is_asked_whether_it_is_ready_and_alive(tmp_path: Path) -> None:
    specs = processes(Layout(tmp_path, Ports(), demo=False), Secrets.make(), ("redis",))
    embedded = {role: (bool(spec.ready), bool(spec.alive)) for spec in specs for role in spec.roles}
    assert extending.roles(ROOT).keys() == set(extending.services(ROOT)), "every service declares ROLES"
    assert list(extending.unprobed(extending.roles(ROOT), embedded)) == []


def test_a_role_without_a_probe_is_noticed() -> None:
    declared = {"aiops": ["api", "worker"], "ui": ["api"]}
    embedded = {"aiops": (True, True), "ui": (True, False)}
    assert list(extending.unprobed(declared, embedded)) == [
        "embedded/layout.py: processes() does not run aiops worker",
        "embedded/layout.py: ui api is not asked whether it is ready and alive",
    ]


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # it may be a link to the original
    file.write_text(text, encoding="utf-8")


def change(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text(encoding="utf-8")
    assert old in text, f"{path} has no {old!r}: the planted mistake has to be planted elsewhere"
    write(root, path, text.replace(old, new, 1))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the rules read, with a further service that has everything."""
    root = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("node_modules", "static", "__pycache__", "web", "queries", "runbooks", "images")
    for folder in ("services", "docs", "contracts", extending.PAGES, "tests/contract/ingestion"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for file in ("pyproject.toml", "compose.yaml", "libs/common/settings.py"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, root / file)
    write(root, "services/aiops/__main__.py", 'ROLES: Mapping[str, RoleFactory] = {"api": api, "worker": worker}\n')
    write(
        root,
        "services/aiops/README.md",
        "# aiops\n\nroles api and worker; `detector` looks for anomalies.\n\n"
        "<!-- settings: services.aiops.settings.AiopsSettings -->\n<!-- end -->\n",
    )
    write(root, "services/aiops/settings.py", "class AiopsSettings(SettingsGroup):\n    pass\n")
    write(root, "services/aiops/workers.py", 'WORKER = Worker("detector", detect, Every(60))\nworker_role()\n')
    write(root, "services/aiops/control/tables.py", 'RULES = Table(\n    "rules", METADATA)\n')
    write(root, "services/aiops/control/versions/v0001_rules.py", 'op.create_table("rules")\n')
    change(root, "pyproject.toml", '"services.ui"]\n[[', '"services.ui", "services.aiops"]\n[[')
    change(
        root,
        "pyproject.toml",
        'containers = ["services.ui"]',
        'containers = ["services.ui"]\ncontainers = ["services.aiops"]',
    )
    change(root, "docs/architecture.md", "| analytics | api |", "| aiops | api, worker |\n| analytics | api |")
    probe = "{image: airis-mon/aiops, command: [ROLE], healthcheck: {test: [CMD, probe]}}"
    change(
        root,
        "compose.yaml",
        "\nservices:\n",
        f"\nservices:\n  aiops: {probe.replace('ROLE', 'api')}\n  detector: {probe.replace('ROLE', 'worker')}\n",
    )
    write(root, f"{extending.RECEIVERS}/zipkin/__init__.py", "")
    change(root, f"{extending.RECEIVERS}/app.py", "*otlp.ENDPOINTS", "*zipkin.ENDPOINTS, *otlp.ENDPOINTS")
    change(root, "services/ingestion/README.md", "`receivers/otlp/`", "`receivers/otlp/`, `receivers/zipkin/`")
    write(root, "tests/contract/ingestion/test_zipkin.py", "")
    for service, roles in extending.roles(root).items():
        name = service.replace("_", "-")
        write(root, f"k8s/base/{name}/kustomization.yaml", "resources: [workloads.yaml]\n")
        probes = "readinessProbe: {}, livenessProbe: {}"
        workloads = [
            f"kind: Deployment\nspec: {{template: {{spec: {{containers: [{{args: [{role}], {probes}}}]}}}}}}\n"
            for role in roles
        ]
        write(root, f"k8s/base/{name}/workloads.yaml", "---\n".join(workloads))
        write(root, f"k8s/components/grafana/dashboards/{name}.json", json.dumps({"panels": [{"title": "rate"}]}))
    return root


@pytest.mark.parametrize("rule", extending.RULES, ids=lambda rule: rule.__name__)
def test_a_service_that_has_everything_passes(whole: Path, rule: extending.Rule) -> None:
    assert [problem for problem in rule(whole) if "docs/extending.md" not in problem] == []


def without(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def changed(path: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: change(root, path, old, new)


REGISTRY = f"{extending.PAGES}/registry.ts"
AIOPS = "services/aiops"
MISTAKES: dict[str, tuple[extending.Rule, Callable[[Path], None], str]] = {
    "service without README": (extending.service_has_a_readme, without(f"{AIOPS}/README.md"), "aiops/README.md"),
    "role not in README": (
        extending.service_has_a_readme,
        changed(f"{AIOPS}/README.md", "and worker", ""),
        "the role worker",
    ),
    "service without wall": (
        extending.service_has_walls,
        changed("pyproject.toml", ', "services.aiops"]', "]"),
        "Services do not import each other",
    ),
    "service without layers": (
        extending.service_has_walls,
        changed("pyproject.toml", 'containers = ["services.aiops"]', ""),
        "layers",
    ),
    "service not in the architecture": (
        extending.service_is_in_the_architecture,
        changed("docs/architecture.md", "| aiops | api, worker |", "| aiops | api |"),
        "lacks aiops worker",
    ),
    "role not in compose": (
        extending.role_runs_in_compose_with_a_probe,
        changed("compose.yaml", "image: airis-mon/aiops, command: [worker]", "image: airis-mon/aiops, command: [api]"),
        "nothing runs aiops worker",
    ),
    "role without probe in compose": (
        extending.role_runs_in_compose_with_a_probe,
        changed("compose.yaml", "command: [worker], healthcheck", "command: [worker], labels"),
        "aiops worker has no healthcheck",
    ),
    "service without manifest": (
        extending.service_has_manifests,
        without("k8s/base/aiops/kustomization.yaml"),
        "k8s/base/aiops/kustomization.yaml",
    ),
    "role without workload": (
        extending.service_has_manifests,
        changed("k8s/base/aiops/workloads.yaml", "args: [worker]", "args: [wroker]"),
        "no workload has the args [worker]",
    ),
    "workload without probe": (
        extending.service_has_manifests,
        changed("k8s/base/aiops/workloads.yaml", "args: [worker], readinessProbe: {}", "args: [worker]"),
        "worker has no readinessProbe",
    ),
    "service without dashboard": (
        extending.service_has_a_dashboard,
        without("k8s/components/grafana/dashboards/api-gateway.json"),
        "dashboards/api_gateway.json",
    ),
    "empty dashboard": (
        extending.service_has_a_dashboard,
        changed("k8s/components/grafana/dashboards/aiops.json", '{"title": "rate"}', ""),
        "has no panels",
    ),
    "worker that nobody describes": (
        extending.worker_is_described,
        changed(f"{AIOPS}/workers.py", '"detector"', '"forecaster"'),
        "`forecaster`",
    ),
    "worker whose name is computed": (
        extending.worker_is_described,
        changed(f"{AIOPS}/workers.py", '"detector"', "name"),
        "literal",
    ),
    "worker without metrics": (
        extending.worker_is_described,
        changed(f"{AIOPS}/workers.py", "worker_role()", ""),
        "no metrics",
    ),
    "setting without doc": (
        extending.setting_is_documented,
        changed(
            f"{AIOPS}/settings.py", "class Aiops", "class DetectionSettings(SettingsGroup):\n    pass\n\nclass Aiops"
        ),
        "DetectionSettings",
    ),
    "shared setting without doc": (
        extending.setting_is_documented,
        changed("libs/common/settings.py", 'environment("AIRIS_REDIS_")', 'environment("AIRIS_SEARCH_")'),
        "AIRIS_SEARCH_*",
    ),
    "protocol that nothing reaches": (
        extending.protocol_is_reached,
        changed(f"{extending.RECEIVERS}/app.py", "*zipkin.ENDPOINTS, ", ""),
        "*zipkin.ENDPOINTS",
    ),
    "protocol without README": (
        extending.protocol_is_reached,
        changed("services/ingestion/README.md", "`receivers/zipkin/`", ""),
        "receivers/zipkin/",
    ),
    "protocol without a test": (
        extending.protocol_is_reached,
        without("tests/contract/ingestion/test_zipkin.py"),
        "real clients",
    ),
    "page that nothing loads": (
        extending.page_is_registered_in_both_languages,
        lambda root: write(root, f"{extending.PAGES}/alerts/page.tsx", ""),
        "./alerts/page",
    ),
    "page without a Korean title": (
        extending.page_is_registered_in_both_languages,
        changed(REGISTRY, '{ en: "Logs", ko: "로그" }', '{ en: "Logs" }'),
        "/logs has no title",
    ),
    "page whose Korean title is English": (
        extending.page_is_registered_in_both_languages,
        changed(REGISTRY, '{ en: "Logs", ko: "로그" }', '{ en: "Logs", ko: "Logs" }'),
        "not Korean",
    ),
    "stored object without migration": (
        extending.stored_object_has_a_migration,
        without(f"{AIOPS}/control/versions/v0001_rules.py"),
        "the table rules",
    ),
    "decision that the index lacks": (
        extending.decision_is_in_the_index,
        lambda root: write(root, "docs/decisions/9999-new.md", "# 9999"),
        "9999-new.md",
    ),
    "guide that names what is gone": (
        extending.guide_names_what_exists,
        lambda root: write(root, "docs/extending.md", "`services/<name>/gone.py`"),
        "services/<name>/gone.py",
    ),
}


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_a_planted_mistake_is_noticed(whole: Path, tmp_path: Path, name: str) -> None:
    rule, plant, problem = MISTAKES[name]
    root = tmp_path / "repository"
    shutil.copytree(whole, root, copy_function=_link)
    plant(root)
    found = list(rule(root))
    assert any(problem in one for one in found), found


def test_every_rule_has_a_planted_mistake() -> None:
    assert {rule for rule, _, _ in MISTAKES.values()} == set(extending.RULES)


def test_a_topic_without_contract_is_noticed(whole: Path, tmp_path: Path) -> None:
    assert topic_check.problems(load_declarations(whole / "contracts/topics"), whole) == []
    root = tmp_path / "repository"
    shutil.copytree(whole, root, copy_function=_link)
    (root / "contracts/topics/telemetry.logs.yaml").unlink()
    found = topic_check.problems(load_declarations(root / "contracts/topics"), root)
    assert any("telemetry.logs" in problem for problem in found), found


def _link(source: str, target: str) -> None:
    """A link costs nothing; `write` and `change` replace files, so the original stays."""
    Path(target).symlink_to(source)
