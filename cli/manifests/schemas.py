"""Objects against the schemas of the API server, unknown fields refused.

The API server prunes what a structural schema does not know, and `kubectl apply` says nothing of it, so a misspelt field is a setting that
never was. Here it is an error, unless the schema says `x-kubernetes-preserve-unknown-fields`.
"""

import json
import lzma
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from cli.manifests.rendering import Object, label_of

SCHEMAS = Path(__file__).parents[2] / "k8s" / "schemas"
_QUANTITY = re.compile(r"[+-]?(\d+|\d+\.\d*|\.\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_QUANTITY_REF = "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"

_formats = FormatChecker(formats=())


@_formats.checks("quantity")
def _is_quantity(value: object) -> bool:
    return not isinstance(value, str) or _QUANTITY.fullmatch(value) is not None


def problems(item: Object) -> Iterator[str]:
    """What is wrong with one object by itself, a line each."""
    name = str(item.get("metadata", {}).get("name", ""))
    if _NAME.fullmatch(name) is None:
        yield f"{item.get('kind')}: {name!r} is no object name"
        return
    group, _, version = str(item.get("apiVersion", "")).rpartition("/")
    validator = _validators().get((group, version, str(item.get("kind"))))
    if validator is None:
        yield f"{label_of(item)}: no schema for {item.get('apiVersion')}; wrong version, or add its definition to k8s/schemas"
        return
    for error in sorted(validator.iter_errors(item), key=lambda error: list(map(str, error.absolute_path))):
        where = ".".join(map(str, error.absolute_path)) or "the object"
        yield f"{label_of(item)}: {where}: {error.message[:300]}"


@cache
def _validators() -> dict[tuple[str, str, str], Draft202012Validator]:
    core = json.loads(lzma.decompress((SCHEMAS / "kubernetes-1.34.4-openapi.json.xz").read_bytes()))
    definitions = {name: _strict(schema) for name, schema in core["definitions"].items()}
    made = {}
    for name, schema in core["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            root = {"$ref": f"#/definitions/{name}", "definitions": definitions}
            made[kind["group"], kind["version"], kind["kind"]] = _validator(root)
    for file in sorted(SCHEMAS.glob("*.yaml.xz")):
        for crd in yaml.load_all(
            lzma.decompress(file.read_bytes()), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        ):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                if version.get("served", True):
                    schema = _strict(version["schema"]["openAPIV3Schema"])
                    schema.setdefault("properties", {}).update(apiVersion={}, kind={}, metadata={})
                    key = crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"]
                    made[key] = _validator(schema)
    return made


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=_formats)


def _strict(schema: Any, *, closed: bool = True) -> Any:
    """The schema with unknown fields refused, in the words of JSON Schema 2020-12.

    Not `closed` below allOf, anyOf, oneOf and not, whose members repeat a part of the properties.
    """
    if isinstance(schema, list):
        return [_strict(part, closed=closed) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") == _QUANTITY_REF:
        return {"type": ["string", "number"], "format": "quantity"}
    made: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "properties":
                made[key] = {name: _strict(part, closed=closed) for name, part in value.items()}
            case "items" | "additionalProperties":
                made[key] = _strict(value, closed=closed)
            case "allOf" | "anyOf" | "oneOf" | "not":
                made[key] = _strict(value, closed=False)
            case "exclusiveMinimum" | "exclusiveMaximum" if isinstance(value, bool):
                pass  # draft 4's form; the bound itself is held
            case "default" | "description" | "example":
                pass
            case "format" if value != "quantity":
                pass
            case _:
                made[key] = value
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        made["type"] = ["integer", "string"]
        made.pop("anyOf", None)
        made.pop("allOf", None)
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
    if closed and "properties" in made and "additionalProperties" not in made and not open_ended:
        made["additionalProperties"] = False
    return made
