"""Make the environment file that docker compose needs, once: `python -m cli.compose_env .airis/compose.env`."""

import hashlib
import os
import sys
from pathlib import Path

from embedded.layout import ADMIN_EMAIL, STORE_ACCOUNTS, Secrets, store_digests
from embedded.private_files import keep_private


def variables(made: Secrets) -> dict[str, str]:
    """Names as compose.yaml has them."""
    return {
        "AIRIS_CLICKHOUSE_PASSWORD": made.store_password,
        **{
            f"{account.upper().replace('AIRIS_', 'AIRIS_CLICKHOUSE_')}_PASSWORD": getattr(made, secret)
            for account, secret in STORE_ACCOUNTS.items()
        },
        **store_digests(made),
        "AIRIS_REDIS_PASSWORD": made.redis_password,
        "AIRIS_POSTGRES_PASSWORD": _made_of(made.identity, "postgres"),
        "AIRIS_CONTROL_PASSWORD": _made_of(made.identity, "control"),
        "AIRIS_KEYS_SECRET": made.keys,
        "AIRIS_IDENTITY_SECRET": made.identity,
        "AIRIS_SESSION_SECRET": made.session,
        "AIRIS_ADMIN_EMAIL": ADMIN_EMAIL,
        "AIRIS_ADMIN_PASSWORD": made.admin_password,
        "AIRIS_API_KEY": made.api_key,
    }


def _made_of(secret: str, use: str) -> str:
    """Another one, of one that there is: the same installation gets the same."""
    return hashlib.sha256(f"airis {use} {secret}".encode()).hexdigest()


def ensure(file: Path) -> bool:
    """Have all secrets in the file, readable by its owner only; those that are there stay. Whether any was written."""
    keep_private()
    present = file.read_text(encoding="utf-8") if file.exists() else ""
    known = {line.partition("=")[0] for line in present.splitlines()}
    # A release may ask for more than the one that made the file.
    missing = {name: value for name, value in variables(Secrets.make()).items() if name not in known}
    if file.exists():
        file.chmod(0o600)
    if not missing:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    if present and not present.endswith("\n"):
        present += "\n"
    part = file.with_name(f".{file.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(present + "".join(f"{name}={value}\n" for name, value in missing.items()))
    part.replace(file)
    return True


def main() -> None:
    file = Path(sys.argv[1])
    sys.stdout.write(f"{file} {'written' if ensure(file) else 'is there already'}\n")


if __name__ == "__main__":
    main()
