"""Image files of every format and kind, quickly made, and what stands in them where."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

GREEN, RED = (40, 140, 60), (180, 60, 30)
TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)


def two_colours(size=(1200, 800), corner=RED):
    """Green, with the top left quarter in another colour: shows which way is up."""
    image = Image.new("RGB", size, GREEN)
    image.paste(corner, (0, 0, size[0] // 2, size[1] // 2))
    return image


def noise(size=(900, 700)):
    return Image.effect_noise(size, 60).convert("RGB")


def encoded(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated(kind, *images, **options):
    return encoded(images[0], kind, save_all=True, append_images=images[1:], **options)


def near(image, position, colour, tolerance=12):
    found = image.getpixel((int(position[0] * image.width), int(position[1] * image.height)))
    assert np.abs(np.subtract(found, colour)).max() <= tolerance, found


def exif(orientation=1, taken=None, zone=None):
    made = Image.Exif()
    made[0x0112] = orientation
    if taken:
        made.get_ifd(0x8769)[0x9003] = taken
    if zone:
        made.get_ifd(0x8769)[0x9011] = zone
    return made


def tiff(*entries, order="<"):
    """EXIF of one directory. An entry: tag, type, number of values, and the four bytes that hold them."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return head + b"".join(struct.pack(order + "HHI4s", *entry) for entry in sorted(entries)) + bytes(4)


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_start(jpeg, *segments):
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def after_header(png, *chunks):
    return png[:33] + b"".join(chunks) + png[33:]


def with_nclx(avif, primaries, transfer):
    at = avif.index(b"colrnclx") + 8
    return avif[:at] + struct.pack(">HH", primaries, transfer) + avif[at + 4 :]
