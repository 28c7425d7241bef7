"""A person looks for a trace and finds it with all it says, and its logs."""

import json
import re
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from tests.browser.conftest import Ui
from tests.browser.telemetry import SERVICE, OneTrace


async def test_from_search_to_the_failed_span_to_its_logs_and_back(ui: Ui, one_trace: OneTrace) -> None:
    page = ui.page
    await ui.open("/traces")
    await page.get_by_label("Query", exact=True).fill(f"service={SERVICE} status=error")
    await page.keyboard.press("Enter")
    await page.locator(f'a[href*="{one_trace.trace_id}"]').click()
    await expect(page.locator("h1")).to_have_text(f"{SERVICE}POST /checkout")
    rows = page.locator(".waterfall-row")
    await expect(rows).to_have_count(2)
    await rows.filter(has_text="charge card").click()
    panel = page.get_by_label("Span details")
    for text in (
        "ConnectionError: the bank hung up",
        "card.kind",
        "visa",
        "exception.stacktrace",
        "web-1",
        "shop 1.2.3",
    ):
        await expect(panel.get_by_text(text).first).to_be_visible()
    await page.get_by_role("button", name="Critical path").click()
    await expect(page.locator(".waterfall-critical").first).to_be_attached()

    await page.get_by_role("link", name="Logs of this trace").click()
    record = page.locator(".log-row", has_text=one_trace.log)
    await record.click()
    detail = page.locator(".log-detail")
    for text in ("attempt", one_trace.trace_id, one_trace.failed_span_id, "Severity number", "17"):
        await expect(detail.get_by_text(text, exact=True)).to_be_visible()
    await detail.get_by_role("link", name="Open trace").click()
    await expect(panel.get_by_text("charge card")).to_be_visible()
    assert page.url.startswith(f"{ui.url}/traces/{one_trace.trace_id}?")


async def test_filters_and_range_live_in_the_url_and_survive_a_reload(ui: Ui, one_trace: OneTrace) -> None:
    page = ui.page
    await ui.open("/traces")
    await page.get_by_role("button", name="Any service").click()
    await page.get_by_role("option", name=SERVICE).click()
    await page.get_by_role("radio", name="Error").click()
    await page.get_by_label("Max").fill("30s")
    await page.keyboard.press("Enter")
    await page.get_by_label("Query", exact=True).fill('operation="charge card"')
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Time range: Last 15 min").click()
    await page.get_by_role("option", name="Last 3 h").click()
    await page.wait_for_url(re.compile("from=now-3h"))
    wanted = {
        "service": [SERVICE], "status": ["error"], "max": ["30s"], "query": ['operation="charge card"'],
        "from": ["now-3h"], "to": ["now"],
    }  # fmt: skip
    assert parse_qs(urlsplit(page.url).query) == wanted
    result = page.locator(f'a[href*="{one_trace.trace_id}"]')
    await expect(result).to_be_visible()
    await page.reload()
    await expect(result).to_be_visible()
    await expect(page.get_by_role("button", name=f"{SERVICE} Service")).to_be_visible()
    await expect(page.get_by_role("radio", name="Error")).to_be_checked()
    await expect(page.get_by_label("Max")).to_have_value("30s")
    await expect(page.get_by_label("Query", exact=True)).to_have_value('operation="charge card"')
    await expect(page.get_by_role("button", name="Time range: Last 3 h")).to_be_visible()
    # A link of the page keeps the range.
    assert "from=now-3h" in (await result.get_attribute("href") or "")


async def test_an_empty_range_says_so_and_offers_a_wider_one(ui: Ui, one_trace: OneTrace) -> None:
    page = ui.page
    await ui.open("/services?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z")
    await expect(page.get_by_role("heading", name="No requests in this time range")).to_be_visible()
    await page.get_by_role("button", name="Last 24 h").click()
    await expect(page.get_by_role("link", name=SERVICE)).to_be_visible()
    await ui.open(f"/logs?query=trace_id%3D{one_trace.trace_id}&from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z")
    await expect(page.get_by_role("heading", name="No log records match")).to_be_visible()


async def test_a_query_that_does_not_parse_is_shown_where_it_breaks(ui: Ui) -> None:
    ui.expected_statuses.add(400)
    await ui.open("/traces?query=service%3D(")
    await expect(ui.page.get_by_role("alert")).to_contain_text("At character 9: expected a value")
    await expect(ui.page.get_by_label("Query", exact=True)).to_have_value("service=(")


async def test_what_is_not_there_is_said_plainly(ui: Ui) -> None:
    ui.expected_statuses.add(404)
    await ui.open("/no-such-page")
    await expect(ui.page.get_by_role("heading", name="There is no such page").last).to_be_visible()
    await ui.open(f"/traces/{'0' * 31}1")
    await expect(ui.page.get_by_role("heading", name="This trace was not found")).to_be_visible()


async def test_a_failing_server_is_named_with_the_request_id_and_can_be_asked_again(
    ui: Ui, one_trace: OneTrace
) -> None:
    ui.expected_statuses.add(500)
    problem = {
        "type": "urn:airis:error:internal",
        "title": "Something broke",
        "detail": "Try again.",
        "request_id": "r-1",
    }
    address = re.compile(r"/api/v1/services\?")
    await ui.page.route(
        address,
        lambda route: route.fulfill(status=500, content_type="application/problem+json", body=json.dumps(problem)),
    )
    await ui.open("/services")
    await expect(ui.page.get_by_role("alert")).to_contain_text("Something broke")
    await expect(ui.page.get_by_role("button", name="Request id r-1")).to_be_visible()
    await ui.page.unroute(address)
    await ui.page.get_by_role("button", name="Try again").click()
    await expect(ui.page.get_by_role("link", name=SERVICE)).to_be_visible()
