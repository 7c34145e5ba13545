"""Video files as cameras and recorders write them, made with PyAV."""

import struct
from fractions import Fraction

import av
import numpy as np
from photographs import picture
from PIL import Image

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import open_source
from schemas.errors import ImageError

MILLISECOND = Fraction(1, 1000)
GREEN, RED = (40, 140, 60), (180, 60, 30)


def scene(number=0, size=(160, 120)):
    """Green, the top left quarter red, and a spot that is different in each."""
    image = Image.new("RGB", size, GREEN)
    image.paste(RED, (0, 0, size[0] // 2, size[1] // 2))
    image.paste(picture(number, (16, 16)), (size[0] - 16, size[1] - 16))
    return image


def record(path, images, *, codec="libx264", rate=10, times=None, sar=None, container=None, prepare=None, **options):
    """Write `images` (Pillow's or frames), at `times` in milliseconds or at `rate` a second; `prepare(stream)`."""
    with av.open(str(path), "w", container_options=container or {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options)
        first = images[0]
        stream.width, stream.height = first.size if isinstance(first, Image.Image) else (first.width, first.height)
        stream.pix_fmt = "yuv420p" if isinstance(first, Image.Image) else first.format.name
        if times:
            stream.codec_context.time_base = MILLISECOND
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        if prepare:
            prepare(stream)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_image(image) if isinstance(image, Image.Image) else image
            frame.pts, frame.time_base = (times[number], MILLISECOND) if times else (number, Fraction(1, rate))
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def remux(path, target, *, later=0.0, streams=1, container=None):
    """Copy a video's packets into another file, `later` seconds later, so often."""
    with av.open(str(path)) as source, av.open(str(target), "w", container_options=container or {}) as file:
        copies = [file.add_stream_from_template(source.streams.video[0]) for _ in range(streams)]
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            shift, data = round(later / packet.time_base), bytes(packet)
            for copy in copies:
                made = av.Packet(data)
                made.pts, made.dts, made.time_base = packet.pts + shift, packet.dts + shift, packet.time_base
                made.duration, made.is_keyframe, made.stream = packet.duration, packet.is_keyframe, copy
                file.mux(made)
    return target


def plain(rgb, *, size=(320, 240), matrix, pixels="yuv420p", tags=(2, 2, 2), full=False):
    """A frame of one colour, coded with the matrix `(kr, kb)` and tagged `(matrix, primaries, transfer)`."""
    red, green, blue = rgb
    kr, kb = matrix
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    bits = 10 if pixels.endswith("10le") else 8
    unit, whole = 2 ** (bits - 8), 2**bits - 1
    values = (
        [whole * luma, *(128 * unit + whole * c for c in chroma)]
        if full
        else [(16 + 219 * luma) * unit, *((128 + 224 * c) * unit for c in chroma)]
    )
    frame = av.VideoFrame(*size, pixels)
    frame.colorspace, frame.color_primaries, frame.color_trc = tags
    frame.color_range = 2 if full else 1
    for plane, value in zip(frame.planes, values, strict=True):
        kind = "<u2" if bits > 8 else "u1"
        plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, round(value), kind).tobytes())
    return frame


def with_display_matrix(data, matrix):
    """An MP4's bytes with this matrix (a b c d x y) in its track header."""
    changed, at = bytearray(data), data.index(b"tkhd") + 4 + 40
    a, b, c, d, x, y = (round(value * 0x10000) for value in matrix)
    changed[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, x, y, 0x40000000)
    return bytes(changed)


class Ingested:
    """What a source's frames become: names and pictures of the good ones, reasons of the bad ones."""

    def __init__(self, source, stop=None, **options):
        feed = Feed.of(source=str(source), camera="roof", **options)
        self.frames = list(open_source(feed, IngestSettings(), stop, patient=False).frames)
        self.good, self.bad, self.images = [], {}, []
        for frame in self.frames:
            try:
                self.images.append(frame.load())
                self.good.append(frame)
            except ImageError as error:
                self.bad[frame.name] = str(error)

    @property
    def seconds(self):
        """Places of the good ones."""
        return [float(frame.name.rpartition("@")[2].rstrip("s")) for frame in self.good]
