"""Rules about configuration: every key that is asked for exists, nothing secret is written down, no variable is misspelt."""

from collections.abc import Iterator

from cli.manifests.findings import Context, rule
from cli.manifests.rendering import Manifests, label_of


def provided_secrets(manifests: Manifests) -> dict[str, set[str] | None]:
    """Keys of every secret somebody makes; None where the keys are not known before it runs."""
    secrets: dict[str, set[str] | None] = {}
    for item in manifests.of("Secret"):
        secrets[item["metadata"]["name"]] = {*item.get("data", {}), *item.get("stringData", {})}
    for item in manifests.of("SealedSecret"):
        secrets[item["metadata"]["name"]] = set(item["spec"].get("encryptedData", {}))
    for item in manifests.of("ExternalSecret"):
        target = item["spec"].get("target", {})
        keys = {entry["secretKey"] for entry in item["spec"].get("data", [])}
        templated = set(target.get("template", {}).get("data", {}))
        unknown = item["spec"].get("dataFrom") and not templated
        secrets[target.get("name", item["metadata"]["name"])] = None if unknown else templated or keys
    for item in manifests.of("Certificate"):
        secrets[item["spec"]["secretName"]] = {"tls.crt", "tls.key", "ca.crt"}
    return secrets


@rule
def keys_exist(manifests: Manifests, _: Context) -> Iterator[str]:
    """A missing key keeps the container in CreateContainerConfigError."""
    secrets = provided_secrets(manifests)
    for work in manifests.workloads:
        for container in work.all_containers:
            named = f"{work}: container {container['name']}"
            for source in container.get("envFrom", []):
                wanted = source.get("configMapRef", {}).get("name")
                if wanted and manifests.find("ConfigMap", wanted) is None:
                    yield f"{named} reads config map {wanted}, which is not there"
                wanted = source.get("secretRef", {}).get("name")
                if wanted and wanted not in secrets:
                    yield f"{named} reads secret {wanted}, which nobody makes"
            for variable in container.get("env", []):
                origin = variable.get("valueFrom", {})
                if "configMapKeyRef" in origin:
                    reference = origin["configMapKeyRef"]
                    found = manifests.find("ConfigMap", reference["name"])
                    if found is None or reference["key"] not in found.get("data", {}):
                        yield f"{named}: {variable['name']} wants {reference['key']} of config map {reference['name']}"
                if "secretKeyRef" in origin:
                    yield from (
                        f"{named}: {variable['name']} {said}" for said in _missing(origin["secretKeyRef"], secrets)
                    )
        for volume in work.pod.get("volumes", []):
            wanted = volume.get("secret", {}).get("secretName")
            if wanted and wanted not in secrets:
                yield f"{work}: volume {volume['name']} wants secret {wanted}, which nobody makes"


def _missing(reference: dict[str, str], secrets: dict[str, set[str] | None]) -> Iterator[str]:
    name, key = reference["name"], reference["key"]
    if name not in secrets:
        yield f"wants secret {name}, which nobody makes"
        return
    keys = secrets[name]
    if keys is not None and key not in keys:
        yield f"wants {key} of secret {name}, which has {', '.join(sorted(keys))}"


@rule
def no_literal_secrets(manifests: Manifests, _: Context) -> Iterator[str]:
    """What is in the repository is known to everybody."""
    for item in manifests.of("Secret"):
        if any(item.get("data", {}).values()) or any(item.get("stringData", {}).values()):
            yield f"{label_of(item)}: holds values; make it by ExternalSecret or SealedSecret"
    for work in manifests.workloads:
        for container in work.all_containers:
            for variable in container.get("env", []):
                name = variable["name"].upper()
                telling = any(
                    word in name for word in ("PASSWORD", "SECRET", "TOKEN", "API_KEY")
                ) and not name.endswith(("_FILE", "_SECONDS", "_SHA256"))
                if telling and variable.get("value"):
                    yield f"{work}: container {container['name']}: {name} is written down"


@rule
def variables_are_read(manifests: Manifests, context: Context) -> Iterator[str]:
    """A misspelt AIRIS_* variable is a setting that never was."""
    for item in manifests.of("ConfigMap"):
        for name in item.get("data", {}):
            if name.startswith("AIRIS_") and name not in context.variables:
                yield f"{label_of(item)}: no settings group reads {name}"
    for work in manifests.workloads:
        # Other programs get variables of ours only to hand them on.
        for container in (one for one in work.all_containers if one["image"].startswith("airis-mon/")):
            for variable in container.get("env", []):
                if variable["name"].startswith("AIRIS_") and variable["name"] not in context.variables:
                    yield f"{work}: container {container['name']}: no settings group reads {variable['name']}"


@rule
def every_service_is_deployed(manifests: Manifests, context: Context) -> Iterator[str]:
    """A service whose code has landed is deployed by its name."""
    deployed = {work.name for work in manifests.workloads}
    for service in sorted(context.services - deployed):
        yield f"services/{service.replace('-', '_')}: no workload is called {service}"


@rule
def one_namespace(manifests: Manifests, _: Context) -> Iterator[str]:
    """An object without a namespace goes wherever kubectl happens to point."""
    namespaces = {item["metadata"]["name"] for item in manifests.of("Namespace")}
    clustered = {
        "Namespace", "StorageClass", "PriorityClass", "ClusterRole", "ClusterRoleBinding", "ClusterSecretStore", "CustomResourceDefinition",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "GatewayClass",
    }  # fmt: skip
    for item in manifests.objects:
        namespace = item["metadata"].get("namespace")
        if item["kind"] in clustered:
            continue
        if namespace is None:
            yield f"{label_of(item)}: has no namespace"
        elif namespaces and namespace not in namespaces:
            yield f"{label_of(item)}: namespace {namespace} is not made here"
