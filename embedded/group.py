"""Several roles in one process: `python -m embedded.group ui.api analytics.api`.

A variable `<service>.<NAME>` is the setting NAME for that service alone: its own account in the store, for one.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from libs.common.roles import Role, RoleFactory, run_roles
from libs.common.settings import InvalidSettings


def role(name: str) -> Role:
    """The role `<service>.<role>`. Raises InvalidSettings, or SystemExit for a name that does not exist."""
    service, _, short = name.partition(".")
    factories: dict[str, RoleFactory] = dict(import_module(f"services.{service}.__main__").ROLES)
    if short not in factories:
        sys.exit(f"{service} has no role {short!r}; it has {', '.join(sorted(factories))}")
    with own_settings(service):
        return factories[short]()


@contextmanager
def own_settings(service: str) -> Iterator[None]:
    """The environment as this service is to see it, while it reads its settings."""
    before = dict(os.environ)
    prefix = f"{service}."
    os.environ.update({name.removeprefix(prefix): value for name, value in before.items() if name.startswith(prefix)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Exit 0 stopped, 1 failed, 2 misconfigured."""
    try:
        run_roles({name: role(name) for name in sys.argv[1:]})
    except InvalidSettings as error:
        sys.stderr.write(f"cannot start, settings are not valid: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
