"""Check kustomize folders; see the package."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.manifests import rules_config, rules_network, rules_pods, rules_scaling  # noqa: F401 - each adds its rules
from cli.manifests.findings import RULES, Context, findings
from cli.manifests.rendering import Manifests, RenderFailed, render
from cli.manifests.schemas import problems
from embedded.layout import ROOT


def deployable(root: Path = ROOT) -> list[Path]:
    """Every folder somebody applies: overlays, colours, combinations."""
    folders = [*(root / "k8s" / "overlays").glob("*/"), root / "k8s" / "blue", root / "k8s" / "green"]
    folders += (root / "k8s" / "combinations").glob("*/")
    return sorted(folder for folder in folders if (folder / "kustomization.yaml").exists())


def verdict(manifests: Manifests, context: Context) -> list[str]:
    """Everything wrong with a rendering. Rules rely on objects that their schemas allow, so they speak only then."""
    return [line for item in manifests.objects for line in problems(item)] or findings(manifests, context)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every folder is in order."""
    parser = argparse.ArgumentParser(prog="python -m cli.manifests", description=__doc__)
    parser.add_argument(
        "folders", nargs="*", type=Path, help="kustomize folders; all that are deployed when none is named"
    )
    folders = parser.parse_args(arguments).folders or deployable()
    context, wrong = Context.of(), 0
    for folder in folders:
        try:
            manifests = render(folder)
        except RenderFailed as error:
            said = [str(error)]
        else:
            said = verdict(manifests, context)
        for line in said:
            print(f"{folder}: {line}")
        wrong += len(said)
    if not wrong:
        print(f"{len(folders)} folders of manifests are in order by {len(RULES)} rules and the schemas")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
