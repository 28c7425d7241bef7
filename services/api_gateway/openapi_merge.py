"""Pure part of the product's description: put one OpenAPI 3.1 document into another, and add what all operations share."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from services.api_gateway.sessions import COOKIE
from services.api_gateway.upstreams import ROUTES, Route, Service, route_of

Document = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PROBLEM: Document = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details. `type` is permanent: urn:airis:error:<id>.",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:airis:error:invalid-query"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, and what to do about it."},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "additionalProperties": True,
}
_OTLP: Document = {"application/x-protobuf": {"schema": {}}, "application/json": {"schema": {"type": "object"}}}
_SECURITY_SCHEMES: Document = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer airis_...`"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A browser session, from sign-in."},
}


def otlp_paths() -> Document:
    """The forwarded OTLP/HTTP endpoints. Described here, because OpenAPI has nothing to say about protobuf."""
    return {
        route.prefix: {
            "post": {
                "tags": ["ingestion"],
                "operationId": f"send_{route.prefix.rsplit('/', 1)[1]}",
                "summary": f"Send {route.prefix.rsplit('/', 1)[1]} (OTLP/HTTP)",
                "description": "Export requests of the OpenTelemetry Protocol. The key needs the scope `ingest`.",
                "security": [{"bearer": []}],
                "requestBody": {"required": True, "content": _OTLP},
                "responses": {"200": {"description": "Stored, or a partial success.", "content": _OTLP}},
            }
        }
        for route in ROUTES
        if route.service == "receiver"
    }


def merge_service(merged: Document, service: Service, document: Document) -> None:
    """Add to `merged` what of `document` can be reached through the gateway, its schemas under names of their own."""
    document = deepcopy(document)
    taken: Document = merged.setdefault("components", {}).setdefault("schemas", {})
    schemas = _schemas(document)
    renamed = {
        name: f"{service.capitalize()}{name}"
        for name, schema in schemas.items()
        if name in taken and taken[name] != schema
    }
    _rename_references(document, renamed)
    for path, operations in document["paths"].items():
        route = route_of(path)
        if route is None or route.service != service or not isinstance(operations, dict):
            continue
        kept = dict(_kept(service, route, operations))
        if kept:
            merged.setdefault("paths", {})[path] = kept
    for name, schema in schemas.items():
        taken[renamed.get(name, name)] = schema


def with_conventions(merged: Document, silent: Sequence[str]) -> Document:
    """The document with security schemes, the problem every operation may end in, and the names of `silent` services."""
    components: Document = merged.setdefault("components", {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    merged["security"] = [{"bearer": []}, {"cookie": []}]
    for operation in _operations(merged):
        responses: Document = operation.setdefault("responses", {})
        # FastAPI describes its own form of a validation error, which our services never send.
        responses.pop("422", None)
        responses["default"] = {
            "description": "Problem",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    if silent:
        info: Document = merged.setdefault("info", {})
        missing = ", ".join(silent)
        info["description"] = (
            f"{info.get('description', '')}\n\n**Not described, because it does not answer: {missing}.**"
        )
    return merged


def _kept(service: Service, route: Route, operations: Document) -> Iterator[tuple[str, Any]]:
    for method, operation in operations.items():
        if method not in _METHODS:
            yield method, operation  # parameters and summary of the path
        elif method.upper() in route.methods and isinstance(operation, dict):
            operation["tags"] = operation.get("tags") or [service]
            # Client generators make one name space of these.
            operation["operationId"] = f"{service}_{operation.get('operationId', method)}"
            operation.pop("security", None)
            yield method, operation


def _schemas(document: Document) -> Document:
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    return schemas if isinstance(schemas, dict) else {}


def _rename_references(node: Any, renamed: dict[str, str]) -> None:
    prefix = "#/components/schemas/"
    if isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str) and target.startswith(prefix):
            name = target.removeprefix(prefix)
            node["$ref"] = prefix + renamed.get(name, name)
        for inner in node.values():
            _rename_references(inner, renamed)
    elif isinstance(node, list):
        for inner in node:
            _rename_references(inner, renamed)


def _operations(document: Document) -> Iterator[Document]:
    for operations in document.get("paths", {}).values():
        for method, operation in operations.items():
            if method in _METHODS and isinstance(operation, dict):
                yield operation
