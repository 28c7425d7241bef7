"""The way in, and the first page of a tenant that has sent nothing."""

import asyncio

import pytest
from playwright.async_api import expect

from embedded.layout import ADMIN_EMAIL
from libs.common.auth.api_keys import generate_api_key
from libs.common.clock import SystemClock
from libs.common.control_store import open_control_store
from libs.common.settings import ControlSettings
from services.api_gateway.bootstrap import bootstrap
from tests.browser.conftest import Ui
from tests.browser.telemetry import send_one_trace
from tests.fixtures.installation import Installation

NEWCOMER, NEWCOMERS_PASSWORD = "ada@newcomer.example", "correct horse battery"


async def test_a_wrong_password_is_refused_and_the_right_one_leads_back_to_the_page_asked_for(
    anonymous: Ui, product: Installation
) -> None:
    page = anonymous.page
    await anonymous.open("/logs?query=body%3Dx&from=now-3h")
    await anonymous.sign_in(ADMIN_EMAIL, "not the password")
    await expect(page.get_by_role("alert")).to_have_text("E-mail or password is not right.")
    await anonymous.sign_in(ADMIN_EMAIL, product.made.admin_password)
    await expect(page.locator("h1")).to_have_text("Logs")
    assert page.url == f"{anonymous.url}/logs?query=body%3Dx&from=now-3h"
    await page.get_by_role("button", name="Account").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("input[name=email]")).to_be_visible()
    await anonymous.open("/services")
    await expect(page.locator("input[name=email]")).to_be_visible()


@pytest.fixture
async def newcomer(product: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second tenant of the installation, without any data."""
    for name, value in product.layout.environment(product.made).items():
        if name.startswith("AIRIS_CONTROL_"):
            monkeypatch.setenv(name, value)
    async with open_control_store(ControlSettings(), "api_gateway") as store:
        _, api_key = generate_api_key(tenant="newcomer", name="first key", scopes=["ingest"])
        await bootstrap(
            store, SystemClock(), tenant="newcomer", admin_email=NEWCOMER, admin_password=NEWCOMERS_PASSWORD,
            api_key=api_key,
        )  # fmt: skip


@pytest.mark.usefixtures("newcomer")
async def test_a_tenant_without_data_sees_how_to_send_the_first_span_and_that_it_arrived(
    anonymous: Ui, product: Installation
) -> None:
    page = anonymous.page
    await anonymous.open("/")
    await anonymous.sign_in(NEWCOMER, NEWCOMERS_PASSWORD)
    await expect(page.get_by_text("Waiting for the first span…")).to_be_visible()
    await expect(page.locator(".snippet")).to_contain_text(
        f"OTEL_EXPORTER_OTLP_ENDPOINT={product.layout.otlp_http_url}"
    )
    await page.get_by_role("button", name="Create an ingest key").click()
    key = await page.locator(".start code").inner_text()
    await page.get_by_role("radio", name="Collector").click()
    await expect(page.locator(".snippet")).to_contain_text(f'headers: {{Authorization: "Bearer {key}"}}')
    await asyncio.to_thread(send_one_trace, product.layout.otlp_http_url, key, "very-first")
    await page.get_by_role("button", name="Open services").click()
    await expect(page.get_by_role("link", name="very-first")).to_be_visible()
    await expect(page.get_by_text("1 service")).to_be_visible()
