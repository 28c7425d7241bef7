"""The product's API as one committed file, from the services' own code. `python -m cli.product_openapi`.

The web UI's types and client are made from `services/ui/web/openapi.json`, so a changed API that the UI does not follow fails to
compile. `--write` brings the file up to date.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from embedded.layout import ROOT
from libs.common.settings import IdentitySettings, KeyFeedSettings, SessionSettings
from services.analytics.app import create_app as create_analytics
from services.analytics.settings import Settings as AnalyticsSettings
from services.api_gateway.app import create_app as create_gateway
from services.api_gateway.openapi_merge import merge_service, otlp_paths, with_conventions
from services.api_gateway.settings import Settings as GatewaySettings

FILE = ROOT / "services" / "ui" / "web" / "openapi.json"
# Nothing is opened or signed; settings only insist on having some.
_SECRET = SecretStr("no-secret-only-a-description-is-made-0123456789")


def document() -> dict[str, Any]:
    """The OpenAPI document that a gateway gives whose services all answer."""
    identity = IdentitySettings(secret=_SECRET)
    keys, session = KeyFeedSettings(secret=_SECRET), SessionSettings(secret=_SECRET)
    merged = create_gateway(GatewaySettings(identity=identity, session=session, keys=keys)).openapi()
    merged.setdefault("paths", {}).update(otlp_paths())
    merge_service(merged, "analytics", create_analytics(AnalyticsSettings(identity=identity)).openapi())
    return with_conventions(merged, [])


def rendered() -> bytes:
    """The file's contents: sorted, so that one description has one form."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def main(argv: Sequence[str] | None = None, file: Path = FILE) -> int:
    """0 when the file says what the code does, or has been brought there."""
    parser = argparse.ArgumentParser(prog="python -m cli.product_openapi", description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the file up to date")
    arguments = parser.parse_args(argv)
    wanted = rendered()
    if file.exists() and file.read_bytes() == wanted:
        return 0
    if arguments.write:
        file.write_bytes(wanted)
        return 0
    sys.stderr.write(
        f"{file.name} is not what the services describe; run `python -m cli.product_openapi --write`, then `make lint`\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
