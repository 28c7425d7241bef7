"""The main paths by keyboard alone, and text by an input method."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Ui
from tests.browser.telemetry import SERVICE, OneTrace


@pytest.mark.timeout(300)
async def test_a_failed_request_is_found_and_read_without_a_mouse(ui: Ui, one_trace: OneTrace) -> None:
    page, press = ui.page, ui.page.keyboard.press
    await ui.open("/services")
    await expect(page.get_by_role("link", name=SERVICE)).to_be_visible()
    await press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await press("Enter")
    await press("g")
    await press("t")
    await expect(page.locator("h1")).to_have_text("Traces")
    # A service from the list, by typing.
    await page.get_by_role("button", name="Any service").focus()
    await press("Enter")
    await expect(page.get_by_role("listbox")).to_be_visible()
    await press("ArrowDown")
    while SERVICE not in (await page.locator(".menu-item[data-focused]").inner_text()):
        await press("ArrowDown")
    await press("Enter")
    await page.wait_for_url(re.compile(f"service={SERVICE}"))
    # One of several choices, by arrows.
    await page.get_by_role("radio", name="Any status").focus()
    await press("ArrowRight")
    await press("Enter")
    await page.wait_for_url(re.compile("status=error"))
    # The range, typed.
    await page.locator("#main").focus()
    await press("d")
    await page.keyboard.type("3h")
    await press("Enter")
    await page.wait_for_url(re.compile("from=now-3h"))
    # The address is ahead of the page: it is shown once everything is.
    await expect(page.get_by_role("button", name="Time range: Last 3 h")).to_be_visible()
    await expect(page.get_by_role("radio", name="Error")).to_be_checked()
    # The table: first row, next, back, open.
    await expect(page.locator(f'a[href*="{one_trace.trace_id}?from=now-3h"]')).to_be_visible()
    await press("j")
    await expect(page.locator("tr[data-row='0']")).to_be_focused()
    await press("End")
    await press("Home")
    await expect(page.locator("tr[data-row='0']")).to_be_focused()
    await press("Enter")
    await expect(page.locator(".waterfall-row")).to_have_count(2)
    # The waterfall: to the failed span and its details, then to its logs and into a record.
    await page.locator(".waterfall").focus()
    await press("j")
    await expect(page.get_by_label("Span details")).to_contain_text("POST /checkout")
    await press("j")
    await expect(page.get_by_label("Span details")).to_contain_text("ConnectionError")
    await press("Escape")
    await page.get_by_role("link", name="Logs of this trace").focus()
    await press("Enter")
    await expect(page.locator(".log-row", has_text=one_trace.log)).to_be_visible()
    await press("j")
    await press("Enter")
    await expect(page.locator(".log-detail")).to_contain_text("attempt")
    await press("Escape")
    await expect(page.locator(".log-detail")).to_have_count(0)


async def test_hangul_is_composed_in_fields_without_running_off(ui: Ui, one_trace: OneTrace) -> None:
    """As an input method does it: the syllable grows inside the field, and Enter belongs to the method until it is done."""
    assert one_trace
    page = ui.page
    session = await page.context.new_cdp_session(page)

    async def compose(*steps: str) -> None:
        for step in steps:
            await session.send(
                "Input.imeSetComposition", {"text": step, "selectionStart": len(step), "selectionEnd": len(step)}
            )
            await asyncio.sleep(0.05)

    await ui.open("/traces")
    await page.get_by_label("Query", exact=True).focus()
    await compose("ㄱ", "겨", "결", "결ㅈ", "결제")
    assert "query=" not in page.url
    await session.send("Input.insertText", {"text": "결제"})
    await expect(page.get_by_label("Query", exact=True)).to_have_value("결제")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile("query="))

    await page.keyboard.press("Control+k")
    field = page.get_by_role("dialog").get_by_role("textbox")
    await expect(field).to_be_focused()
    await compose("ㄹ", "로", "로ㄱ", "로그")
    await expect(field).to_have_value("로그")
    await session.send("Input.insertText", {"text": "로그"})
    await expect(field).to_have_value("로그")
    await expect(page.get_by_role("menuitem", name="Logs", exact=False).first).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Logs")
