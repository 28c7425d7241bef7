"""The environment variables that our code reads, from the settings groups themselves."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator

import libs.common.settings
import services
from libs.common.settings import SettingsGroup


def variables() -> frozenset[str]:
    """Names of all variables of all settings groups of libs.common and every service."""
    for package in pkgutil.iter_modules(services.__path__):
        for module in ("settings", "setup"):
            name = f"services.{package.name}.{module}"
            if importlib.util.find_spec(name) is not None:
                importlib.import_module(name)
    importlib.import_module(libs.common.settings.__name__)
    return frozenset(_names(SettingsGroup))


def _names(group: type[SettingsGroup]) -> Iterator[str]:
    prefix = str(group.model_config.get("env_prefix", ""))
    yield from (f"{prefix}{field}".upper() for field in group.model_fields)
    for child in group.__subclasses__():
        yield from _names(child)
