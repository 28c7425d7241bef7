"""Caching, security headers and the page fallback of the UI service."""

import gzip
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from services.ui.app import create_app
from services.ui.settings import UiSettings

SCRIPT = b"console.log('airis');" * 50


@pytest.fixture
def client(tmp_path: Path) -> AsyncClient:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>AIRIS-MON</title>")
    (tmp_path / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    return AsyncClient(transport=ASGITransport(create_app(UiSettings(static=tmp_path))), base_url="http://ui")


async def test_hashed_files_are_immutable_and_packed(client: AsyncClient) -> None:
    answer = await client.get("/assets/index-abc123.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == SCRIPT
    plain = await client.get("/assets/index-abc123.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == SCRIPT
    assert len(gzip.compress(SCRIPT)) < len(SCRIPT)


@pytest.mark.parametrize("path", ["/", "/traces", "/traces/0af7651916cd43dd8448eb211c80319c", "/services/my.service"])
async def test_pages_of_the_application_are_one_page_that_is_revalidated(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert "AIRIS-MON" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_missing_file_is_not_the_page(client: AsyncClient) -> None:
    answer = await client.get("/assets/index-old.js")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Reload" in answer.json()["detail"]


async def test_the_policy_allows_no_inline_code(client: AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_without_a_build_it_says_what_to_do(tmp_path: Path) -> None:
    client = AsyncClient(transport=ASGITransport(create_app(UiSettings(static=tmp_path))), base_url="http://ui")
    assert (await client.get("/")).status_code == 503
    assert "make web" in (await client.get("/")).json()["detail"]
    assert (await client.get("/readyz")).status_code == 503


async def test_nothing_outside_the_build_is_served(client: AsyncClient) -> None:
    for path in ("/../settings.py", "/%2e%2e/settings.py", "/assets/../../settings.py"):
        assert b"UiSettings" not in (await client.get(path)).content
