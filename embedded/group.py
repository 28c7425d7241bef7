"""Several roles in one process: `python -m embedded.group ui.api analytics.api`."""

import sys
from importlib import import_module

from libs.common.roles import Role, RoleFactory, run_roles
from libs.common.settings import InvalidSettings


def role(name: str) -> Role:
    """The role `<service>.<role>`. Raises InvalidSettings, or SystemExit for a name that does not exist."""
    service, _, short = name.partition(".")
    factories: dict[str, RoleFactory] = dict(import_module(f"services.{service}.__main__").ROLES)
    if short not in factories:
        sys.exit(f"{service} has no role {short!r}; it has {', '.join(sorted(factories))}")
    return factories[short]()


def main() -> None:
    """Exit 0 stopped, 1 failed, 2 misconfigured."""
    try:
        run_roles({name: role(name) for name in sys.argv[1:]})
    except InvalidSettings as error:
        sys.stderr.write(f"cannot start, settings are not valid: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
