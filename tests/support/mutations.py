"""Image files of every format, damaged in every way that transport, editors and programmers have found. Seeded."""

import io
import random
from collections.abc import Callable, Iterator

import pillow_heif
from images import (
    after_header,
    after_start,
    animated,
    chunk,
    encoded,
    exif,
    noise,
    segment,
    tiff,
    two_colours,
    with_nclx,
)
from PIL import Image
from profiles import gamma_profile, matrix_profile

HEADER_BYTES = 700
"""Where most of what a decoder believes stands."""


def seeds() -> dict[str, bytes]:
    """Whole files, small enough to be decoded thousands of times."""
    plain, small = noise((256, 192)), two_colours((96, 64))
    wide = matrix_profile("Display P3", 2.2)
    burst = pillow_heif.from_pillow(small)
    burst.add_from_pillow(small.rotate(90))
    return {
        "jpeg as it is": encoded(plain),
        "jpeg 4:4:4 optimised": encoded(plain.resize((128, 96)), subsampling=0, optimize=True),
        "jpeg with restarts": encoded(small, restart_marker_blocks=1),
        "jpeg large": encoded(
            two_colours((1600, 1200)), exif=exif(6, "2026:07:01 08:30:00", "+02:00"), icc_profile=wide
        ),
        "jpeg progressive": encoded(small, progressive=True, exif=exif(3)),
        "jpeg grey": encoded(small.convert("L"), icc_profile=gamma_profile(1.0)),
        "jpeg cmyk": encoded(small.convert("CMYK")),
        "jpeg mpo": animated("MPO", two_colours((640, 480)), small),
        "png": encoded(small, "PNG", icc_profile=wide, exif=exif(8)),
        "png palette": encoded(small.quantize(8), "PNG", transparency=1),
        "png grey alpha": encoded(small.convert("LA"), "PNG"),
        "png 16 bit": encoded(Image.linear_gradient("L").convert("I;16"), "PNG"),
        "png one bit": encoded(small.convert("1"), "PNG", transparency=0),
        "png animated": animated("PNG", small, small.rotate(180)),
        "webp": encoded(small, "WEBP", exif=exif(6), icc_profile=wide),
        "webp lossless": encoded(small.convert("RGBA"), "WEBP", lossless=True),
        "webp animated": animated("WEBP", small, small.rotate(180)),
        "heic": encoded(small, "HEIF", exif=exif(6).tobytes()),
        "heic grid": encoded(two_colours((256, 256)), "HEIF", tile_size=128),
        "heic alpha": encoded(small.convert("RGBA"), "HEIF"),
        "heic burst": _saved(burst),
        "avif": with_nclx(encoded(small, "AVIF", exif=exif(6)), 12, 13),
        "avif alpha": encoded(small.convert("RGBA"), "AVIF"),
        "gif": animated("GIF", small, small.rotate(180)),
        "bmp": encoded(small, "BMP"),
        "tiff": encoded(small, "TIFF"),
        "jpeg 2000": encoded(small, "JPEG2000"),
    }


def _saved(burst: pillow_heif.HeifFile) -> bytes:
    out = io.BytesIO()
    burst.save(out, primary_index=1)
    return out.getvalue()


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((rng.randrange(len(data)), len(data) - rng.randrange(1, min(40, len(data)))))]


def cut_and_ended(data: bytes, rng: random.Random) -> bytes:
    return cut(data, rng) + rng.choice((b"\xff\xd9", b"\0\0\0\0IEND\xaeB`\x82", b"\0\0;"))


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 40))):
        at = rng.randrange(min(len(data), HEADER_BYTES) if rng.random() < 0.8 else len(data))
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(min(len(data), HEADER_BYTES) if rng.random() < 0.7 else len(data))
    size = rng.choice((1, 2, 4, 16, 200))
    return data[:at] + rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size))) + data[at + size :]


def remove(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 7, 100, 5000)) :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice((1, 4, 50, 700))
    return data[:at] + data[at : at + size] * rng.choice((2, 3, 50)) + data[at + size :]


def append(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice((b"\0", rng.randbytes(300), data, b"SEFT" * 40, b"\xff\xd9", b"\xff\xda\0\2" * 50))


def prepend(data: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"\r\n", b"\xef\xbb\xbf", rng.randbytes(9))) + data


def metadata(data: bytes, rng: random.Random) -> bytes:
    """A segment or chunk of metadata that is odd in one of many ways."""
    tags = [(rng.randrange(65536), rng.randrange(20), rng.choice((0, 1, 2, 2**31)), rng.randbytes(4)) for _ in range(9)]
    said = tiff((0x0112, 3, 1, bytes((rng.randrange(12), 0, 0, 0))), *tags, order="<")
    if data[:2] == b"\xff\xd8":
        starts = (
            b"Exif\0\0" + said,
            b"Exif\0\0",
            b"ICC_PROFILE\0\1\1",
            b"MPF\0",
            b"JFIF\0",
            b"Adobe\0",
            b"http://ns.adobe.com/\0",
        )
        markers, sizes = (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDD), (0, 3, 40, 600)
        bodies = [rng.choice(starts) + rng.randbytes(rng.choice(sizes)) for _ in range(rng.choice((1, 2, 30)))]
        return after_start(data, *(segment(rng.choice(markers), body) for body in bodies))
    if data[:4] == b"\x89PNG":
        kinds = (b"iCCP", b"gAMA", b"cHRM", b"cICP", b"sRGB", b"tRNS", b"tEXt", b"acTL", b"PLTE", b"bKGD")
        made = [chunk(rng.choice(kinds), rng.randbytes(rng.choice((0, 1, 4, 32, 768)))) for _ in range(2)]
        return after_header(data, chunk(b"eXIf", said), *made)
    return data.replace(b"II*\0", said[:40], 1) if b"II*\0" in data else flip(data, rng)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut,
    cut_and_ended,
    flip,
    flip,
    flip,
    overwrite,
    remove,
    repeat,
    append,
    prepend,
    metadata,
    metadata,
)


def mutated(count: int, seed: int = 19) -> Iterator[tuple[str, bytes]]:
    """Files and what was done to them: each of the seeds in turn, with one to three changes, or two spliced."""
    rng, whole = random.Random(seed), seeds()
    names = list(whole)
    for number in range(count):
        name = names[number % len(names)]
        data, done = whole[name], [name]
        if rng.random() < 0.08:
            other = rng.choice(names)
            data = data[: rng.randrange(len(data))] + whole[other][rng.randrange(len(whole[other])) :]
            done.append(f"spliced with {other}")
        for _ in range(rng.choice((0, 1, 1, 2, 3)) if len(done) > 1 else rng.choice((1, 1, 2, 3))):
            change = rng.choice(MUTATIONS)
            if data:
                data = change(data, rng)
                done.append(change.__name__)
        yield f"{number}: {', '.join(done)}", data
