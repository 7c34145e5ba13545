"""The page when things go wrong: it says what, it tries again without doubling anything, it gives up politely."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def choose(page: Page, *photos: Any) -> None:
    page.get_by_test_id("upload-input").set_input_files(list(photos))


def uploads(seen: Any, name: str) -> list[dict[str, Any]]:
    return [upload for upload in seen()["uploads"] if upload["name"] == f"{name}.jpg"]


@pytest.mark.parametrize(
    ("name", "told", "attempts"), [("busy", "The service is not ready", 3), ("limited", "Sending more slowly", 2)]
)
def test_busy_service_is_asked_again_with_the_same_key(
    page: Page, photo: Any, seen: Any, name: str, told: str, attempts: int
) -> None:
    choose(page, photo(name))
    expect(page.get_by_test_id("status")).to_contain_text(f"{told}. Trying again in")
    expect(page.get_by_test_id("result-label")).to_have_text("Early blight", timeout=15_000)
    tried = uploads(seen, name)
    assert len(tried) == attempts
    assert len({upload["key"] for upload in tried}) == 1


def test_a_refused_photograph_says_why_and_what_to_do(page: Page, photo: Any, seen: Any) -> None:
    choose(page, photo("refused"))
    expect(page.get_by_test_id("result-card")).to_have_attribute("data-state", "problem")
    expect(page.get_by_test_id("problem")).to_contain_text("Not an accepted image because. Do this.")
    expect(page.get_by_test_id("retry")).to_be_hidden()
    assert len(uploads(seen, "refused")) == 1


def test_a_lost_network_is_waited_for(page: Page, photo: Any, seen: Any) -> None:
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    choose(page, photo("healthy-offline"))
    expect(page.get_by_test_id("status")).to_contain_text("The connection was lost. Trying again in")
    page.context.set_offline(False)
    expect(page.get_by_test_id("result-label")).to_have_text("Healthy", timeout=15_000)
    expect(page.get_by_text("You are offline.")).to_be_hidden()
    assert len(uploads(seen, "healthy-offline")) == 1


def test_however_long_the_network_is_away(page: Page, photo: Any, seen: Any) -> None:
    page.clock.install()
    page.context.set_offline(True)
    choose(page, photo("healthy-tunnel"))
    for _ in range(12):
        page.wait_for_timeout(50)
        page.clock.fast_forward(31_000)
    expect(page.get_by_test_id("problem")).to_be_hidden()
    page.context.set_offline(False)
    expect(page.get_by_test_id("result-label")).to_have_text("Healthy", timeout=15_000)
    assert len(uploads(seen, "healthy-tunnel")) == 1


def test_an_answer_lost_on_the_way_back_adds_nothing(page: Page, photo: Any, seen: Any) -> None:
    lost: list[str] = []

    def lose_the_first(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().text())
        route.abort("connectionreset")

    page.route("**/predict", lose_the_first)
    choose(page, photo("healthy-twice"))
    expect(page.get_by_test_id("result-label")).to_have_text("Healthy", timeout=15_000)
    tried = uploads(seen, "healthy-twice")
    assert len(tried) == 2
    assert len({upload["key"] for upload in tried}) == 1
    page.unroute_all()


def test_giving_up_leaves_a_button_that_tries_again(page: Page, photo: Any, seen: Any) -> None:
    page.clock.install()
    page.route("**/predict", lambda route: route.abort("connectionrefused"))
    choose(page, photo("healthy-much-later"))
    for _ in range(8):
        page.wait_for_timeout(50)
        page.clock.fast_forward(31_000)
    expect(page.get_by_test_id("problem")).to_contain_text("The connection was lost")
    page.unroute_all()
    page.get_by_test_id("retry").click()
    expect(page.get_by_test_id("result-label")).to_have_text("Healthy", timeout=15_000)
    assert len(uploads(seen, "healthy-much-later")) == 1


def test_without_events_it_polls(page: Page, photo: Any) -> None:
    choose(page, photo("deaf"))
    expect(page.get_by_test_id("result-label")).to_have_text("Early blight", timeout=15_000)


def test_a_login_page_in_between_is_not_taken_for_the_service(page: Page, photo: Any) -> None:
    page.route("**/predict", lambda route: route.fulfill(status=202, body="<html>Hotel login</html>"))
    choose(page, photo("healthy"))
    expect(page.get_by_test_id("status")).to_contain_text("Something else answered. Trying again in")
    page.unroute_all()


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("huge.jpg", 11 * 2**20, "It has 11.0 MB; 10 MB are accepted."),
        ("text.pdf", 1, "This is not a photograph"),
        ("empty.jpg", 0, "This file is empty"),
    ],
)
def test_what_can_not_work_is_not_sent(page: Page, tmp_path: Path, seen: Any, name: str, size: int, told: str) -> None:
    before = len(seen()["uploads"])
    (tmp_path / name).write_bytes(b"x" * size)
    choose(page, tmp_path / name)
    expect(page.get_by_test_id("problem")).to_contain_text(told)
    assert len(seen()["uploads"]) == before


def test_a_removed_photograph_is_no_longer_sent_or_awaited(page: Page, photo: Any) -> None:
    choose(page, photo("slow"))
    expect(page.get_by_test_id("result-card")).to_have_attribute("data-state", "queued")
    page.get_by_test_id("remove").click()
    expect(page.get_by_test_id("results")).to_be_hidden()
    assert page.evaluate("localStorage['leafstream.history']") == "[]"


def test_a_result_that_is_gone_leaves_the_history(page: Page) -> None:
    page.evaluate("localStorage['leafstream.history'] = JSON.stringify([{ id: 'unknown', at: Date.now() }])")
    with page.expect_response("**/result/unknown*"):
        page.reload()
    while page.evaluate("localStorage['leafstream.history']") != "[]":  # wait_for_function would need eval in the page
        page.wait_for_timeout(20)
    expect(page.get_by_test_id("history")).to_be_hidden()
