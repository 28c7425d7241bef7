"""Make the environment file that docker compose needs, once: `python -m cli.compose_env .airis/compose.env`."""

import os
import sys
from pathlib import Path

from embedded.layout import ADMIN_EMAIL, Secrets
from embedded.private_files import keep_private


def variables(made: Secrets) -> dict[str, str]:
    """Names as compose.yaml has them."""
    return {
        "AIRIS_CLICKHOUSE_PASSWORD": made.store_password,
        "AIRIS_REDIS_PASSWORD": made.redis_password,
        "AIRIS_IDENTITY_SECRET": made.identity,
        "AIRIS_SESSION_SECRET": made.session,
        "AIRIS_ADMIN_EMAIL": ADMIN_EMAIL,
        "AIRIS_ADMIN_PASSWORD": made.admin_password,
        "AIRIS_API_KEY": made.api_key,
    }


def ensure(file: Path) -> bool:
    """Write the file, readable by its owner only, unless it is there. Whether it was written."""
    keep_private()
    if file.exists():
        file.chmod(0o600)
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in variables(Secrets.make()).items())
    part = file.with_name(f".{file.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    part.replace(file)
    return True


def main() -> None:
    file = Path(sys.argv[1])
    sys.stdout.write(f"{file} {'written' if ensure(file) else 'is there already'}\n")


if __name__ == "__main__":
    main()
