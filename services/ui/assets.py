"""The built single-page application over HTTP.

Files under `assets/` carry a hash in their name and never change; everything else may change with the next build. A path without a file
suffix is a page of the application, which routes it itself; a missing file is a real 404, so that a stale page notices.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import NotFound
from services.ui.errors import UiNotBuilt

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")
# Scripts and styles of our own origin only; data: for images that the charts make.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory: some hundred KiB in all, read once."""

    body: bytes
    packed: bytes | None
    media_type: str
    etag: str
    cache_control: str


class Assets:
    """All files of the build, by path."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            file.relative_to(folder).as_posix(): _read(file, folder)
            for file in sorted(folder.rglob("*"))
            if file.is_file() and not file.name.startswith(".")
        }

    @property
    def built(self) -> bool:
        return "index.html" in self._files

    async def check(self) -> None:
        """For readiness. Raises UiNotBuilt."""
        if not self.built:
            raise UiNotBuilt("The web UI is not built. Run `make web` or `airis up`, then restart.")

    async def answer(self, request: Request, path: str) -> Response:
        """The file at `path`, or the application's page. Raises NotFound, UiNotBuilt."""
        await self.check()
        asset = self._files.get(path)
        if asset is None:
            if PurePosixPath(path).suffix and not path.startswith("services/"):
                raise NotFound(f"There is no file {path}. Reload the page: a new version may have been installed.")
            asset = self._files["index.html"]
        headers = {
            **SECURITY_HEADERS,
            "Cache-Control": asset.cache_control,
            "ETag": asset.etag,
            "Vary": "Accept-Encoding",
        }
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = asset.body
        if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = asset.packed, "gzip"
        return Response(body, media_type=asset.media_type, headers=headers)


def _read(file: Path, folder: Path) -> Asset:
    body = file.read_bytes()
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 9, mtime=0) if media_type.startswith(COMPRESSIBLE) or file.suffix == ".js" else None
    hashed = file.relative_to(folder).parts[0] == "assets"
    return Asset(
        body,
        packed if packed is not None and len(packed) < len(body) else None,
        media_type,
        f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        IMMUTABLE if hashed else REVALIDATE,
    )
