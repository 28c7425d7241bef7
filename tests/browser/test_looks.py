"""Languages, themes, keys and size: what holds on every page."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Ui
from tests.browser.telemetry import SERVICE, OneTrace


async def test_language_and_theme_switch_and_stay(ui: Ui) -> None:
    page = ui.page
    html = page.locator("html")
    await ui.open("/services")
    await page.get_by_role("button", name="Account").click()
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.get_by_role("radio", name="Dark").click()
    await page.get_by_role("radio", name="한국어").click()
    await expect(page.locator("h1")).to_have_text("서비스")
    for _ in range(2):
        await expect(html).to_have_attribute("lang", "ko")
        await expect(html).to_have_attribute("data-theme", "dark")
        await expect(page.get_by_role("link", name="트레이스")).to_be_visible()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != light
        await page.reload()
    await expect(page.get_by_role("link", name="트레이스")).to_be_visible()
    await page.keyboard.press("t")
    await expect(html).to_have_attribute("data-theme", "light")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == light


async def test_keys_open_the_palette_the_sheet_and_the_pages(ui: Ui, one_trace: OneTrace) -> None:
    page = ui.page
    await ui.open("/services")
    await expect(page.get_by_role("link", name=SERVICE)).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("l")
    await expect(page.locator("h1")).to_have_text("Logs")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("declined")
    await page.get_by_role("menuitem", name="Search logs for “declined”").click()
    await expect(page.locator(".log-row", has_text=one_trace.log)).to_be_visible()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator(".log-detail")).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.keyboard.type(SERVICE)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.keyboard.type(one_trace.trace_id)
    await page.keyboard.press("Enter")
    await expect(page.locator(".waterfall-row")).to_have_count(2)


async def test_ten_thousand_spans_are_a_few_rows_in_the_page_and_all_within_reach(ui: Ui, big_trace: str) -> None:
    page = ui.page
    await ui.open(f"/traces/{big_trace}")
    rows = page.locator(".waterfall-row")
    await expect(rows.first).to_contain_text("step 0")
    await expect(page.locator(".trace-head")).to_contain_text("10,000")
    counts = await page.evaluate(
        """async () => {
            const list = document.querySelector(".waterfall");
            const counts = [];
            for (const share of [0, 0.1, 0.35, 0.7, 1]) {
                list.scrollTop = share * list.scrollHeight;
                await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
                counts.push(document.querySelectorAll(".waterfall-row").length);
            }
            return counts;
        }"""
    )
    assert 20 < max(counts) < 150
    # The last row, depth first, is the last of the last branch.
    last = 0
    while 3 * last + 1 < 10_000:
        last = min(3 * last + 3, 9_999)
    await expect(rows.last).to_contain_text(f"step {last}")
    await page.get_by_label("Find in trace").fill("step 9876")
    await expect(page.get_by_text("0 / 1")).to_be_visible()
    await page.get_by_role("button", name="Next match").click()
    await expect(page.get_by_label("Span details")).to_contain_text("step 9876")
    await expect(page.locator('.waterfall-row[aria-selected="true"]')).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_keep_their_policy_and_say_nothing_to_the_console(ui: Ui, one_trace: OneTrace, scheme: str) -> None:
    """The fixture fails the test for any console error, refused script or style, or request to elsewhere."""
    await ui.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    pages = {
        "/services": SERVICE,
        f"/service?name={SERVICE}": "Operations",
        "/traces": "Durations over time",
        f"/traces/{one_trace.trace_id}?span={one_trace.failed_span_id}": "charge card",
        "/logs": one_trace.log,
        "/metric-explorer": "Metrics",
    }
    for path, text in pages.items():
        await ui.open(path)
        await expect(ui.page.locator("#main, .topbar").filter(has_text=text).first).to_be_visible()
        await expect(ui.page.locator(".skeleton")).to_have_count(0)
        await expect(ui.page).to_have_title(re.compile("AIRIS-MON"))
