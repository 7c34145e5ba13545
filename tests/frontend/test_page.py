"""The page with a cooperative service: photographs come in by every way and are answered in plain words."""

import base64
from typing import Any

import pytest
from chromium import opened
from playwright.sync_api import Browser, Page, expect

from schemas.labels import DISPLAY_NAMES

pytestmark = pytest.mark.browser

GIVE = """([kind, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const target = document.querySelector("main");
  if (kind === "paste") {
    target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
  } else {
    for (const step of ["dragover", "drop"]) {
      target.dispatchEvent(new DragEvent(step, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
  }
}"""


def choose(page: Page, *photos: Any) -> None:
    page.get_by_test_id("upload-input").set_input_files(list(photos))


def test_a_photograph_is_diagnosed(page: Page, photo: Any, seen: Any) -> None:
    expect(page.get_by_test_id("results")).to_be_hidden()
    choose(page, photo("late_blight"))
    card = page.get_by_test_id("result-card")
    expect(card).to_have_attribute("data-state", "done")
    expect(card).to_have_attribute("data-label", "late_blight")
    expect(page.get_by_test_id("status")).to_have_text("Done")
    expect(page.get_by_test_id("result-label")).to_have_text("Late blight")
    expect(page.get_by_test_id("result-confidence")).to_have_text("86 % sure")
    expect(page.get_by_test_id("result-top3").locator("li")).to_have_count(3)
    expect(page.get_by_test_id("result-model")).to_have_text(
        "Model resnet50@1 · experiment default, arm resnet50 · answered in 0.8 s"
    )
    expect(page.get_by_test_id("announcer")).to_have_text("late_blight.jpg: Late blight. 86 % sure")
    page.get_by_test_id("advice").locator("summary").click()
    expect(page.get_by_test_id("advice")).to_contain_text("Phytophthora infestans")
    expect(page.get_by_test_id("advice")).to_contain_text("extension service")
    upload = seen()["uploads"][-1]
    assert upload["uploader"] == page.evaluate("JSON.parse(localStorage['leafstream.uploader'])")
    assert len(upload["key"]) == 32
    assert upload["bytes"] > len(photo("x")["buffer"])


@pytest.mark.parametrize(
    ("name", "title", "told", "confidence"),
    [
        ("healthy", "Healthy", "No sign of the nine", "86 % sure"),
        ("spider_mites", "Spider mites (two-spotted spider mite)", "resembles most", "86 % sure"),
        ("uncertain", "Not sure", "It resembles Early blight most, but not clearly", "only 37 % for the likeliest"),
        ("not_tomato_leaf", "This does not look like a tomato leaf", "no disease is named", None),
    ],
)
def test_each_verdict_is_said_honestly(
    page: Page, photo: Any, name: str, title: str, told: str, confidence: Any
) -> None:
    choose(page, photo(name))
    expect(page.get_by_test_id("result-label")).to_have_text(title)
    expect(page.get_by_test_id("result-lead")).to_contain_text(told)
    if confidence is None:
        expect(page.get_by_test_id("result-confidence")).to_be_hidden()
        expect(page.get_by_test_id("result-top3")).to_be_hidden()
    else:
        expect(page.get_by_test_id("result-confidence")).to_have_text(confidence)


def test_a_failed_photograph_says_why(page: Page, photo: Any) -> None:
    choose(page, photo("failed"))
    expect(page.get_by_test_id("result-card")).to_have_attribute("data-state", "failed")
    expect(page.get_by_test_id("problem")).to_contain_text("The picture could not be decoded.")
    expect(page.get_by_test_id("retry")).to_be_hidden()


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_pasted_and_dropped_photographs_are_sent_too(page: Page, photo: Any, kind: str) -> None:
    data = base64.b64encode(photo("x")["buffer"]).decode()
    page.evaluate(GIVE, [kind, f"early_blight-{kind}.jpg", data])
    expect(page.get_by_test_id("result-label")).to_have_text("Early blight")
    expect(page.locator(".drop-veil")).to_be_hidden()


def test_many_at_once_are_all_answered(page: Page, photo: Any, seen: Any) -> None:
    names = [f"leaf_mold-{number}" for number in range(12)]
    choose(page, *map(photo, names))
    cards = page.get_by_test_id("result-card")
    expect(cards).to_have_count(12)
    expect(page.locator("[data-testid=result-card][data-state=done]")).to_have_count(12, timeout=20_000)
    uploads = [upload for upload in seen()["uploads"] if upload["name"].startswith("leaf_mold-")]
    assert sorted(upload["name"] for upload in uploads) == sorted(f"{name}.jpg" for name in names)
    assert len({upload["key"] for upload in uploads}) == 12


def test_heatmap_is_painted_where_the_evidence_is(page: Page, photo: Any) -> None:
    choose(page, photo("target_spot"))
    toggle = page.get_by_test_id("heatmap-toggle")
    expect(page.get_by_test_id("heatmap")).to_be_hidden()
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    # The double's map is warmest in the fifth column, fourth row of seven, and empty in the top left corner.
    warm, cold = page.get_by_test_id("heatmap").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return [[144, 112], [4, 4]].map(([x, y]) => data[4 * (y * canvas.width + x) + 3]);
        }"""
    )
    assert warm > 150
    assert cold == 0
    toggle.click()
    expect(page.get_by_test_id("heatmap")).to_be_hidden()


def test_heatmap_is_bilinear(page: Page) -> None:
    values = page.evaluate(
        """async () => {
          const { sample } = await import("/js/heatmap.js");
          const map = { width: 2, height: 2, values: [0, 100, 40, 200] };
          return [[0, 0], [1, 1], [0.5, 0], [0, 0.5], [0.5, 0.5], [-1, 0], [2, 2]].map(([x, y]) => sample(map, x, y));
        }"""
    )
    assert values == [0, 200, 50, 20, 85, 0, 200]


def test_feedback_is_sent_and_can_be_changed(page: Page, photo: Any, seen: Any) -> None:
    choose(page, photo("bacterial_spot"))
    page.get_by_test_id("feedback-yes").click()
    expect(page.get_by_test_id("feedback-said")).to_have_text("Thank you. Noted as: Bacterial spot.")
    assert seen()["feedback"][-1] == {"label": "bacterial_spot"}
    page.get_by_test_id("feedback-no").click()
    expect(page.get_by_test_id("feedback-label")).to_be_focused()
    page.get_by_test_id("feedback-label").select_option("healthy")
    page.get_by_test_id("feedback-note").fill("seen by an agronomist")
    page.get_by_test_id("feedback-send").click()
    expect(page.get_by_test_id("feedback-said")).to_have_text("Thank you. Noted as: Healthy.")
    assert seen()["feedback"][-1] == {"label": "healthy", "note": "seen by an agronomist"}


def test_results_are_found_again_and_forgotten_on_request(page: Page, photo: Any) -> None:
    choose(page, photo("mosaic_virus"))
    expect(page.get_by_test_id("result-label")).to_have_text("Tomato mosaic virus")
    page.reload()
    expect(page.get_by_test_id("history").get_by_test_id("result-label")).to_have_text("Tomato mosaic virus")
    page.get_by_test_id("forget").click()
    expect(page.get_by_test_id("history")).to_be_hidden()
    assert page.evaluate("localStorage['leafstream.history']") == "[]"


def test_a_photograph_still_queued_is_awaited_after_a_reload(page: Page, photo: Any) -> None:
    choose(page, photo("septoria_leaf_spot"))
    expect(page.get_by_test_id("result-card")).to_have_attribute("data-state", "queued")
    page.reload()
    expect(page.get_by_test_id("result-label")).to_have_text("Septoria leaf spot")


def test_every_label_is_explained_under_its_name(page: Page) -> None:
    diseases = page.evaluate("async () => (await import('/js/diseases.js')).DISEASES")
    assert {label: disease["name"] for label, disease in diseases.items()} == DISPLAY_NAMES
    assert all(len(disease["about"]) > 80 and len(disease["steps"]) >= 2 for disease in diseases.values())


def test_keyboard_alone_is_enough(page: Page, photo: Any) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("upload-input")).to_be_focused()
    choose(page, photo("healthy"))
    expect(page.get_by_test_id("feedback-yes")).to_be_visible()
    page.get_by_test_id("feedback-yes").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("feedback-said")).to_contain_text("Thank you")
    page.get_by_role("button", name="Remove healthy.jpg").press("Enter")
    expect(page.get_by_test_id("result-card")).to_have_count(0)


def test_a_phone_offers_its_camera_first(browser: Browser, door: Any, photo: Any) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, door.url, **phone) as (page, errors):
        camera = page.get_by_text("Take a photograph")
        expect(camera).to_be_visible()
        assert camera.bounding_box()["y"] < page.get_by_text("Choose photographs").bounding_box()["y"]
        expect(page.get_by_test_id("camera-input")).to_have_attribute("capture", "environment")
        page.get_by_test_id("camera-input").set_input_files(photo("healthy"))
        expect(page.get_by_test_id("result-label")).to_have_text("Healthy")
        assert errors == []


def test_swagger_link_and_headings_are_there(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Is this tomato leaf sick?")
    expect(page.get_by_role("link", name="API")).to_have_attribute("href", "/docs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Browser, door: Any, scheme: Any) -> None:
    session = browser.new_context(color_scheme=scheme)
    page = session.new_page()
    page.goto(door.url)
    colours = page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const names = ["paper", "card", "well", "ink", "muted", "leaf", "on-leaf", "tomato", "amber", "stone"];
          return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
        }"""
    )
    session.close()
    pairs = [(ink, ground) for ink in ("ink", "muted", "leaf") for ground in ("paper", "card", "well")]
    pairs += [(ink, "card") for ink in ("tomato", "amber", "stone")] + [("on-leaf", "leaf")]
    assert {pair: contrast(*(colours[name] for name in pair)) >= 4.5 for pair in pairs} == dict.fromkeys(pairs, True)


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_is_wider_than_the_window(page: Page, photo: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    choose(page, photo("yellow_leaf_curl_virus-with-a-very-long-name-that-goes-on-and-on-and-on-and-on"), photo("slow"))
    expect(page.get_by_test_id("result-label").first).to_have_text("Tomato yellow leaf curl virus")
    page.get_by_test_id("feedback-no").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two #rrggbb colours (WCAG 2.2)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_waiting_in_one_tab_leaves_connections_for_others(browser: Browser, door: Any, photo: Any) -> None:
    context = browser.new_context()
    one, two = context.new_page(), context.new_page()
    one.goto(door.url)
    one.get_by_test_id("upload-input").set_input_files([photo(f"slow-{number}") for number in range(3)])
    expect(one.get_by_test_id("status").filter(has_text="Received")).to_have_count(3)
    two.goto(door.url)  # finds the three again, and waits for them too
    two.get_by_test_id("upload-input").set_input_files([photo(f"slow-{number}") for number in range(3, 6)])
    two.get_by_test_id("upload-input").set_input_files([photo("healthy")])
    expect(two.get_by_test_id("result-label").filter(has_text="Healthy")).to_have_count(1)
    context.close()
