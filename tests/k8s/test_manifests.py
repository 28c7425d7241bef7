"""Every folder somebody applies is in order, and planted mistakes are found."""

import copy
import shutil

import pytest

from cli.manifests.__main__ import deployable, verdict
from cli.manifests.findings import RULES, Context
from cli.manifests.rendering import Manifests, render
from embedded.layout import ROOT
from libs.common.testing import require
from tests.k8s.mistakes import MISTAKES


@pytest.fixture(scope="module", autouse=True)
def _kubectl() -> None:
    if shutil.which("kubectl") is None:
        require("kubectl", "kubectl, whose built-in kustomize renders the manifests")


@pytest.fixture(scope="module")
def context() -> Context:
    return Context.of()


@pytest.fixture(scope="module")
def production() -> Manifests:
    return render(ROOT / "k8s" / "overlays" / "production")


@pytest.mark.parametrize("folder", deployable(), ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_folder_is_in_order(folder, context: Context) -> None:
    manifests = render(folder)
    assert manifests.workloads
    assert verdict(manifests, context) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_found(name: str, production: Manifests, context: Context) -> None:
    broken = Manifests(copy.deepcopy(production.objects))
    MISTAKES[name](broken)
    assert broken.objects != production.objects, "the mistake changed nothing"
    assert verdict(broken, context), f"nobody says a word about: {name}"


def test_every_rule_catches_something(production: Manifests, context: Context) -> None:
    caught = set()
    for plant in MISTAKES.values():
        broken = Manifests(copy.deepcopy(production.objects))
        plant(broken)
        caught |= {line.split(":", 1)[0] for line in verdict(broken, context)}
    assert set(RULES) - caught == set(), "rules that no planted mistake shows to work"


def test_accounts_of_the_store_are_those_of_the_schema() -> None:
    # kustomize reads no file above its own folder, so this one stands twice.
    assert (ROOT / "k8s/base/clickhouse/users/airis.xml").read_text() == (
        ROOT / "schema/clickhouse/accounts.xml"
    ).read_text()
