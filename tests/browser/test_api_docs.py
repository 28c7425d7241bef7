"""The API's documentation in a real browser, under the strict policy it is served with."""

import asyncio

from playwright.async_api import ConsoleMessage, Route, async_playwright

from libs.common.web.server import serve
from tests.browser.chromium import FLAGS, chromium
from tests.fixtures.gateway import PASSWORD, gateway_on_fakes, with_state


async def test_the_docs_work_signed_in_without_breaking_their_policy_or_calling_out() -> None:
    complaints: list[str] = []
    elsewhere: list[str] = []
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with gateway_on_fakes() as gateway:
        email = await gateway.add_tenant("acme")
        server = asyncio.create_task(
            serve(with_state(gateway.app, gateway.state), "127.0.0.1", 0, stop, listening=listening)
        )
        url = f"http://127.0.0.1:{await listening}"

        async def only_us(route: Route) -> None:
            if route.request.url.startswith((url, "data:")):
                await route.continue_()
            else:
                elsewhere.append(route.request.url)
                await route.abort()

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                complaints.append(message.text)

        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            page = await browser.new_page()
            await page.route("**/*", only_us)
            await page.goto(f"{url}/")
            # From a page of ours, so that the browser itself adds Sec-Fetch-Site and Origin.
            status = await page.evaluate(
                """async (credentials) => (await fetch("/api/v1/auth/sign-in", {method: "POST",
                    headers: {"Content-Type": "application/json"}, body: JSON.stringify(credentials)})).status""",
                {"email": email, "password": PASSWORD},
            )
            assert status == 204
            page.on("console", note)
            await page.goto(f"{url}/api/docs")
            await page.get_by_text("/api/v1/auth/me").first.click()
            await page.get_by_role("button", name="Try it out").click()
            await page.get_by_role("button", name="Execute").click()
            await page.get_by_text(email).first.wait_for(timeout=10_000)
            cookies = await page.context.cookies()
            assert [(cookie["name"], cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [
                ("airis_session", True, "Lax")
            ]
            assert await page.evaluate("document.cookie") == ""
            await browser.close()
        stop.set()
        await server
    assert (complaints, elsewhere) == ([], [])
