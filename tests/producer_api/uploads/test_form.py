"""Every way in which a client may build its form."""

import base64
import gzip
import quopri
from email.message import EmailMessage

import pytest
from PIL import Image

from producer_api.uploads.form import MAX_FIELDS
from schemas.image import ImageEvent
from schemas.normalisation import MAX_UPLOAD_BYTES
from tests.producer_api.conftest import encoded

FILE = b'Content-Disposition: form-data; name="file"; filename="leaf.jpg"'
TYPE = "multipart/form-data; boundary=XyZ"


def field(name, value):
    return b'Content-Disposition: form-data; name="%b"' % name.encode(), value


def form(*parts, preamble=b"", epilogue=b"\r\n", padding=b""):
    body = b"".join(b"--XyZ%b\r\n%b\r\n\r\n%b\r\n" % (padding, head, data) for head, data in parts)
    return preamble + body + b"--XyZ--" + epilogue


async def post(client, body, content_type=TYPE, **headers):
    return await client.post("/predict", content=body, headers={"Content-Type": content_type} | headers)


def event(acceptance):
    [(_, envelope)] = acceptance.accepted
    return ImageEvent.read(envelope.key, envelope.value, envelope.headers())


def wrong(answer, status=422):
    assert answer.status_code == status, answer.text
    assert answer.json()["remedy"]
    return answer.json()["detail"]


@pytest.mark.parametrize(
    "head",
    [
        FILE,
        b"content-disposition: form-data; name=file; filename=leaf.jpg",
        b'CONTENT-DISPOSITION: Form-Data; Name="file"; FileName="leaf.jpg"',
        b'Content-Disposition:form-data;filename="leaf.jpg";name="file"',
        b'Content-Disposition: form-data; name = "file"; filename = "leaf.jpg"',
        b'Content-Type: image/jpeg\r\nX-Other: name="camera"\r\n' + FILE,
        FILE + b"\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\nContent-ID: <a@b>",
        b'Content-Disposition: form-data;\r\n name="file";\r\n\tfilename="leaf.jpg"',
        b'Content-Disposition: form-data; name="file"',
        b'Content-Disposition: form-data; name="file"; filename=""',
        b'Content-Disposition: form-data; filename="a\\"; name=\\"camera\\".jpg"; name="file"',
        b'Content-Disposition: form-data; filename="a; name=camera.jpg"; name="file"',
        b'Content-Disposition: form-data; name="file"; filename="C:\\photos\\new\\leaf.jpg"',
        b'Content-Disposition: form-data; name="file"; filename="bl.jpg"; filename*=UTF-8\'\'bl%C3%A4tter.jpg',
        'Content-Disposition: form-data; name="file"; filename="葉.jpg"'.encode(),
        'Content-Disposition: form-data; name="file"; filename="blätter.jpg"'.encode("latin-1"),
        FILE + b"\r\nContent-Transfer-Encoding: binary",
        FILE + b"\r\nContent-Transfer-Encoding: 8BIT",
    ],
)
async def test_headers_of_a_part_in_any_form(client, acceptance, jpeg, head):
    answer = await post(client, form((head, jpeg)))
    assert answer.status_code == 202, answer.text
    assert event(acceptance).jpeg == jpeg
    assert event(acceptance).camera is None


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("base64", base64.encodebytes), ("BASE64", base64.b64encode), ("quoted-printable", quopri.encodestring)],
)
async def test_encoded_parts_are_decoded(client, acceptance, jpeg, encoding, encode):
    header = b"\r\nContent-Transfer-Encoding: " + encoding.encode()
    camera = (field("camera", b"")[0] + header, encode(b"roof"))
    answer = await post(client, form((FILE + header, encode(jpeg)), camera))
    assert answer.status_code == 202, answer.text
    assert event(acceptance).jpeg == jpeg
    assert event(acceptance).camera == "roof"


async def test_a_form_made_by_a_mail_library(client, acceptance, jpeg):
    message = EmailMessage()
    message.make_mixed()
    part = EmailMessage()
    part.set_content(jpeg, maintype="image", subtype="jpeg", disposition="form-data", filename="blätter und mehr " * 5)
    part.set_param("name", "file", header="Content-Disposition")
    message.attach(part)
    message.set_boundary("XyZ")
    body = message.as_bytes().partition(b"\n\n")[2].replace(b"\n", b"\r\n")
    answer = await post(client, body)
    assert answer.status_code == 202, answer.text
    assert event(acceptance).jpeg == jpeg


@pytest.mark.parametrize("last", [False, True])
async def test_fields_in_any_order(client, acceptance, jpeg, last):
    fields = [field("camera", b"roof\r\n"), field("captured_at", b" 2026-07-01T08:30:00Z"), field("other", b"\xff\xfe")]
    parts = [*fields, (FILE, jpeg)] if last else [(FILE, jpeg), *fields]
    answer = await post(client, form(*parts))
    assert answer.status_code == 202, answer.text
    assert event(acceptance).camera == "roof"
    assert event(acceptance).captured_at


async def test_a_field_in_another_charset(client, acceptance, jpeg):
    head = field("camera", b"")[0] + b"\r\nContent-Type: text/plain; charset=utf-16"
    assert (await post(client, form((head, "roof".encode("utf-16")), (FILE, jpeg)))).status_code == 202
    assert event(acceptance).camera == "roof"


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="XyZ"',
        "Multipart/Form-Data; charset=utf-8; Boundary=XyZ",
        "multipart/form-data;boundary=XyZ;charset=UTF-8",
        "multipart/form-data ; boundary = XyZ",
    ],
)
async def test_the_boundary_in_any_form(client, acceptance, jpeg, content_type):
    assert (await post(client, form((FILE, jpeg)), content_type)).status_code == 202


@pytest.mark.parametrize(
    "more", [{"preamble": b"This is MIME.\r\n"}, {"epilogue": b""}, {"epilogue": b"\r\nbye"}, {"padding": b" \t "}]
)
async def test_what_stands_around_the_parts_says_nothing(client, acceptance, jpeg, more):
    assert (await post(client, form((FILE, jpeg), **more))).status_code == 202
    assert event(acceptance).jpeg == jpeg


async def test_an_empty_file_input_beside_the_file_is_no_file(client, acceptance, jpeg):
    empty = (b'Content-Disposition: form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream', b"")
    assert (await post(client, form(empty, (FILE, jpeg), empty))).status_code == 202
    assert event(acceptance).jpeg == jpeg
    assert "but an empty field `file`" in wrong(await post(client, form(empty)))


@pytest.mark.parametrize("name", ["photo", "image", "files", "file[]", "FILE"])
async def test_a_file_in_another_field_is_named(client, jpeg, name):
    head = b'Content-Disposition: form-data; name="%b"; filename="leaf.jpg"' % name.encode()
    assert f"but a file in the field '{name}'" in wrong(await post(client, form((head, jpeg))))


async def test_several_files_are_not_one_of_them(client, acceptance, jpeg):
    answer = await post(client, form((FILE, jpeg), (FILE, jpeg)))
    assert "more than one file" in wrong(answer)
    assert "/predict/batch" in answer.json()["remedy"]
    assert not acceptance.accepted


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([(FILE + b"\r\nContent-Transfer-Encoding: base64", b"abcde")], "no base64"),
        ([(FILE + b"\r\nContent-Transfer-Encoding: x-uuencode", b"x")], "unknown encoding 'x-uuencode'"),
        ([(FILE, b"x"), field("camera", b"one"), field("camera", b"two")], "two different fields 'camera'"),
        ([(FILE, b"x"), field("camera", b"\xff")], "'camera' is not UTF-8"),
        *(
            ([(FILE, b"x"), (field("camera", b"")[0] + b"\r\nContent-Type: text/plain; charset=" + name, b"x")], says)
            for name, says in (
                (b"klingon", "KLINGON"),
                (b"undefined", "UNDEFINED"),
                (b"utf-8\0", "UTF-8"),
                (b"zip", "ZIP"),
            )
        ),
        ([(FILE, b"x"), field("camera", b"x" * 5000)], "'camera' has more than 4096 bytes"),
        ([field("x", b"")] * (MAX_FIELDS + 1), f"more than {MAX_FIELDS} fields"),
        ([(b"Content-Type: image/jpeg", b"x")], "Content-Disposition: form-data"),
        ([(b'Content-Disposition: attachment; name="file"', b"x")], "Content-Disposition: form-data"),
        ([(b'Content-Disposition: form-data; filename="leaf.jpg"', b"x")], "has no name"),
    ],
)
async def test_what_can_not_be_used_is_named(client, acceptance, parts, says):
    assert says in wrong(await post(client, form(*parts)))
    assert not acceptance.accepted


@pytest.mark.parametrize("prefix", [b"", b"data:image/jpeg;base64,"])
async def test_a_photograph_written_as_text_is_named(client, jpeg, prefix):
    assert "as text" in wrong(await post(client, form((FILE, prefix + base64.b64encode(jpeg)))))


async def test_lines_that_end_in_lf_are_named(client, jpeg):
    body = form((FILE, b"x")).replace(b"\r\n", b"\n")
    assert "LF, not CRLF" in wrong(await post(client, body))


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "application/json", "multipart/mixed; boundary=XyZ"]
)
async def test_a_body_of_another_type_is_named(client, jpeg, kind):
    assert kind.partition(";")[0] in wrong(await post(client, form((FILE, jpeg)), kind))


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data;"])
async def test_a_content_type_written_by_hand_without_its_boundary_is_named(client, jpeg, kind):
    answer = await post(client, form((FILE, jpeg)), kind)
    assert "no boundary" in wrong(answer)
    assert "library" in answer.json()["remedy"]


async def test_a_compressed_body_is_named(client, jpeg):
    body = gzip.compress(form((FILE, jpeg)))
    assert "gzip" in wrong(await post(client, body, **{"Content-Encoding": "gzip"}))
    assert (await post(client, form((FILE, jpeg)), **{"Content-Encoding": "identity"})).status_code == 202


@pytest.mark.parametrize("kind", ["image/jpeg", "Image/JPEG; q=1", "image/*"])
async def test_the_photograph_itself_is_a_body_too(client, acceptance, jpeg, kind):
    assert (await post(client, jpeg, kind)).status_code == 202
    assert event(acceptance).jpeg == jpeg


async def chunks(*pieces):
    for piece in pieces:
        yield piece


async def test_a_body_without_its_length(client, acceptance, jpeg):
    body = form((FILE, jpeg))
    assert (await post(client, chunks(*(body[at : at + 7] for at in range(0, len(body), 7))))).status_code == 202
    assert event(acceptance).jpeg == jpeg
    assert (await post(client, chunks(jpeg[:100], jpeg[100:]), "image/jpeg")).status_code == 202


@pytest.mark.parametrize("kind", [TYPE, "image/jpeg"])
async def test_a_body_without_its_length_is_read_up_to_the_limit_only(client, kind):
    read = 0

    async def endless():
        nonlocal read
        yield b"--XyZ\r\n" + FILE + b"\r\n\r\n"
        while True:
            read += 2**20
            yield b"x" * 2**20

    wrong(await post(client, endless(), kind), 413)
    assert read <= MAX_UPLOAD_BYTES + 2 * 2**20


async def test_endless_small_fields_are_not_kept(client):
    async def endless():
        while True:
            yield form(field("x", b"y"), epilogue=b"")[:-7]

    wrong(await post(client, endless()))


async def test_names_of_files_come_back_as_they_are(client, jpeg):
    heads = [
        b'Content-Disposition: form-data; name="file"; filename="x"; filename*=UTF-8\'de\'bl%C3%A4tter%20%22a%22.jpg',
        b"Content-Disposition: form-data; name=\"file\"; filename*=iso-8859-1''bl%E4tter.jpg",
        b'Content-Disposition: form-data; name="file"; filename="bad.jpg"; filename*=klingon\'\'x',
        b'Content-Disposition: form-data; name="file"; filename="say \\"leaf\\".jpg"',
        'Content-Disposition: form-data; name="file"; filename="blätter.jpg"'.encode("latin-1"),
    ]
    body = form(*((head, encoded_differently(number)) for number, head in enumerate(heads)))
    answer = await client.post("/predict/batch", content=body, headers={"Content-Type": TYPE})
    assert [one["filename"] for one in answer.json()["files"]] == [
        'blätter "a".jpg',
        "blätter.jpg",
        "bad.jpg",
        'say "leaf".jpg',
        "blätter.jpg",
    ]


def encoded_differently(number):
    return encoded(Image.new("RGB", (64 + number, 64), (number, 90, 40)))
