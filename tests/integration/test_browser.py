"""A grower's way: open the page, drop a photograph, read the diagnosis."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(180)]

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1100, "height": 820}, device_scale_factor=1)
        complaints = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
        assert complaints == []


def test_a_photograph_is_diagnosed_through_nginx(stack, page, leaves):
    page.goto(stack.url)
    page.get_by_test_id("upload-input").set_input_files(
        min((leaves / "samples" / "yellow_leaf_curl_virus").glob("*.jpg"))
    )
    label = page.get_by_test_id("result-label")
    expect(label).not_to_be_empty(timeout=30_000)
    expect(page.get_by_test_id("result-confidence")).to_contain_text("%")
    expect(page.get_by_test_id("result-model")).to_contain_text("@")
    if target := os.environ.get("LEAF_SCREENSHOT"):  # how docs/page.png was made
        page.screenshot(path=Path(target), full_page=True)


def test_the_documentation_opens_under_the_same_policy(stack, page):
    page.goto(f"{stack.url}/docs")
    expect(page.get_by_text("/predict", exact=True).first).to_be_visible(timeout=30_000)
