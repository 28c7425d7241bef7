"""What everybody can use: WCAG 2.2 AA by axe-core on every page."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, StorageState, expect

from cli import web_build
from tests.browser.conftest import PATIENCE_MS, Ui
from tests.browser.telemetry import SERVICE, OneTrace
from tests.fixtures.installation import Installation

# "experimental" has label-content-name-mismatch (WCAG 2.5.3), which voice control needs.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
AXE = web_build.WEB / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def axe(product: Installation) -> str:
    """axe-core's source. It comes with the packages for checking, and building alone does not install those."""
    assert product
    if not Path(AXE).exists():
        web_build.install("all")
    return AXE.read_text()


async def _violations(page: Page, axe: str, *, without: str = "", only: str = "") -> list[str]:
    """`rule: html` for each offending element. Evaluated by the debugger, so that the page's policy stays as it is."""
    await page.evaluate(axe)
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    if only:
        options["runOnly"] = {"type": "rule", "values": [only]}
    if without:
        options["rules"] = {without: {"enabled": False}}
    found = await page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [f"{violation['id']}: {node['html'][:300]}" for violation in found for node in violation["nodes"]]


async def _loaded(page: Page) -> None:
    await expect(page.locator("h1").first).to_be_visible()
    await expect(page.locator(".skeleton, .spinner")).to_have_count(0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
async def test_every_page_keeps_to_wcag_2_2_aa(
    browser: Browser, product: Installation, session_state: StorageState, one_trace: OneTrace, axe: str, locale: str
) -> None:
    pages = [
        "/services", f"/service?name={SERVICE}", "/traces", f"/traces/{one_trace.trace_id}?span={one_trace.failed_span_id}",
        "/logs", "/metric-explorer", "/no-such-page", "/traces?query=service%3D(", f"/traces/{'0' * 31}1", "/sign-in",
        "/logs?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z",
    ]  # fmt: skip
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900}, locale=locale, storage_state=session_state, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    found: dict[str, list[str]] = {}
    for path in pages:
        await page.emulate_media(color_scheme="light")
        await page.goto(product.layout.gateway_url + path)
        await _loaded(page)
        assert await page.locator("html").get_attribute("lang") == locale[:2]
        found[f"{path} light"] = await _violations(page, axe)
        # The theme changes colours alone; loaded anew, so that none is on its way from one to the other.
        await page.emulate_media(color_scheme="dark")
        await page.reload()
        await _loaded(page)
        found[f"{path} dark"] = await _violations(page, axe, only="color-contrast")
    await context.close()
    assert {path: list_ for path, list_ in found.items() if list_} == {}


async def test_what_opens_above_the_page_keeps_to_it_as_well(ui: Ui, one_trace: OneTrace, axe: str) -> None:
    page = ui.page
    await ui.open(f"/traces?query=service%3D{SERVICE}")
    await expect(page.locator(f'a[href*="{one_trace.trace_id}"]')).to_be_visible()
    found: dict[str, list[str]] = {}

    async def look(name: str) -> None:
        # Beside the dialog react-aria has a hidden button to dismiss it, which belongs to no landmark.
        found[name] = await _violations(page, axe, without="region")
        await page.keyboard.press("Escape")
        await expect(page.locator(".popover, .overlay")).to_have_count(0)

    for name, opener in {
        "time": page.get_by_role("button", name="Time range:"),
        "refresh": page.get_by_role("button", name="Auto-refresh"),
        "account": page.get_by_role("button", name="Account:"),
        "service": page.get_by_role("button", name="Any service"),
        "help": page.get_by_role("button", name="Query language"),
        "palette": page.get_by_role("button", name="Search or jump to"),
        "keys": page.get_by_role("button", name="Keyboard shortcuts"),
    }.items():
        await opener.click()
        await expect(page.locator(".popover, .overlay").first).to_be_visible()
        await look(name)
    assert {name: list_ for name, list_ in found.items() if list_} == {}


async def test_a_dialog_takes_the_focus_and_gives_it_back(ui: Ui, one_trace: OneTrace) -> None:
    assert one_trace
    page, press = ui.page, ui.page.keyboard.press
    await ui.open("/services")
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    await opener.focus()
    await press("Enter")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_be_visible()
    for _ in range(4):
        await press("Tab")
        assert await dialog.evaluate("(element) => element.contains(document.activeElement)")
    await press("Escape")
    await expect(opener).to_be_focused()
