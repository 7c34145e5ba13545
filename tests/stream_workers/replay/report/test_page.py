import base64
import io
import re
from html.parser import HTMLParser

from examples import answer, prediction
from PIL import Image
from workers import jpeg

from stream_workers.replay.report.comparison import Comparison
from stream_workers.replay.report.contact_sheet import SIDE, caption, contact_sheet
from stream_workers.replay.report.page import html, text
from stream_workers.replay.report.results import Pair


def comparison(count=8):
    def said(number, **changes):
        return prediction(image_id=f"image-{number:016d}", answer=answer(**changes))

    return Comparison.of(
        Pair(said(n), said(n, label="healthy", confidence=0.6, gate=0.9 - n / 100), "healthy") for n in range(count)
    )


def test_the_sheet_shows_each_image_or_grey_where_it_is_gone():
    compared = comparison()
    sheet = Image.open(io.BytesIO(contact_sheet(compared.most, {compared.most[0].image_id: jpeg(100, (300, 200))})))
    assert sheet.width > 6 * SIDE
    first = sheet.getpixel((8 + SIDE // 2, 8 + SIDE // 2))
    second = sheet.getpixel((16 + SIDE + SIDE // 2, 8 + SIDE // 2))
    assert abs(first[0] - 100) < 4
    assert second == (0xD8, 0xD8, 0xD8)


def test_a_sheet_of_nothing_is_a_picture_too():
    assert Image.open(io.BytesIO(contact_sheet([], {}))).height > 0


def test_the_page_needs_nothing_else():
    page = html("again", "live <&>", comparison(), b"png")
    assert "live &lt;&amp;&gt;" in page
    assert re.findall(r'(?:src|href)="(.{22})', page) == ["data:image/png;base64,"]
    assert base64.b64encode(b"png").decode() in page
    assert '<td class="other">8' in page
    HTMLParser().feed(page)


def test_what_is_none_of_the_ten_is_named_with_its_probability():
    before = prediction(answer=answer())
    after = prediction(answer=answer(verdict="other_tomato_problem", other=0.7, confidence=0.2))
    found = Comparison.of([Pair(before, after, None)])
    assert "Another tomato problem" in html("again", "live", found, b"png")
    assert "late_blight -> other_tomato_problem" in text("again", "live", found)
    assert "verdicts in this run: other_tomato_problem (1)" in text("again", "live", found)
    assert caption(found.most[0]) == "late_blight 90%\nnow other_tomato_problem 70%"


def test_the_text_lists_the_changes():
    told = text("again", "live", comparison())
    assert "images: 8" in told
    assert "answered before by: resnet50@1 (8)" in told
    assert "answered in this run by: resnet50@1 (8)" in told
    assert "same label: 0.0%" in told
    assert "8  late_blight -> healthy" in told
    assert "accuracy in this run: 100.0%" in told
    assert "no images to compare. 1 images of the run have no result" in text("again", "live", Comparison.of([None]))
