"""Whatever name the store accepts has a page that opens: by its address, and by a click in the list."""

import unicodedata
from urllib.parse import quote, urlencode

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Ui
from tests.browser.telemetry import SERVICE, OneTrace, send_names
from tests.fixtures.installation import Installation

NAMES = [
    "\\Processor(_Total)\\% Processor Time", "CORP\\svc", "a/../b", ".", "..", "../../x", "/", "//host/share", "x", "x/operations",
    "tab\there", "line\nbreak", "cr\r\nlf", "nul\x00inside", "%", "%2F", "%00", "50%25", "a?b=c&d#e", "a+b c", " padded ", "한글 서비스",
    unicodedata.normalize("NFD", "분해된 한글"), "👩‍👩‍👧‍👦", "\u202eright to left", "n" * 2000, "name=1&name=2", "<b>bold</b>", "'\"`", "metrics/points",
]  # fmt: skip


@pytest.fixture(scope="session")
def names(product: Installation) -> None:
    send_names(product.layout.otlp_http_url, product.made.api_key, NAMES)


async def _no_page_crashed(ui: Ui) -> None:
    await expect(ui.page.get_by_role("heading", name="This page ran into a bug")).to_have_count(0)


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("names")
async def test_every_service_and_its_operation_can_be_opened(ui: Ui) -> None:
    page = ui.page
    await ui.open("/services")
    await expect(page.get_by_role("link", name="CORP\\svc")).to_be_visible()
    for name in NAMES:
        await page.goto(f"{ui.url}/service?{urlencode({'name': name})}")
        heading = page.locator("h1 .service-name")
        await expect(heading).to_be_visible()
        assert await heading.text_content() == name
        operation = page.locator(".cell-main a")
        await expect(operation).to_have_count(1)
        assert await operation.text_content() == name
    await _no_page_crashed(ui)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("name", ["a/../b", "..", "x/operations", "\\Processor(_Total)\\% Processor Time"])
async def test_from_the_list_to_the_service_to_its_traces_and_back(ui: Ui, name: str) -> None:
    page = ui.page
    await ui.open("/services")
    await page.get_by_role("searchbox").fill(name)
    await page.locator(".cell-main a").filter(has=page.get_by_text(name, exact=True)).click()
    await expect(page.locator("h1")).to_have_text(name)
    await page.locator(".cell-main a").click()
    await expect(page.locator("tr[data-row]").first).to_contain_text(name)
    await page.go_back()
    await expect(page.locator("h1")).to_have_text(name)


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("names")
async def test_every_metric_can_be_opened(ui: Ui) -> None:
    page = ui.page
    for name in NAMES:
        await page.goto(f"{ui.url}/metric-explorer?{urlencode({'metric': name})}")
        await expect(page.get_by_text("1 series")).to_be_visible()
        assert await page.locator(".chart-frame h2").text_content() == name


async def test_links_of_the_first_version_still_open(ui: Ui, one_trace: OneTrace) -> None:
    assert one_trace
    for name in (SERVICE, "x/operations", "한글 서비스"):
        await ui.open(f"/services/{quote(name, safe='')}?from=now-3h&to=now")
        await expect(ui.page.locator("h1")).to_have_text(name)
        assert ui.page.url == f"{ui.url}/service?{urlencode({'from': 'now-3h', 'to': 'now', 'name': name})}"
