"""What is uploaded: real photographs where they are at hand, else painted leaves of the same size."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

ROOT: Final = Path(__file__).parents[1]
SAMPLES: Final = ROOT.parent / "shared" / "leaves" / "samples"
SMALL_PX: Final = 256
LARGE_SIZE: Final = (4000, 3000)
BOUNDARY: Final = "leafstream-bench"


def small() -> list[bytes]:
    """Distinct 256 px baseline JPEGs, as the sensors and the web send them."""
    files = sorted(SAMPLES.glob("*/*.jpg"))
    images = [Image.open(file).convert("RGB").resize((SMALL_PX, SMALL_PX)) for file in files]
    return [_jpeg(image, 90) for image in images or [_painted(seed) for seed in range(40)]]


def large() -> bytes:
    """A 12-megapixel photograph with the detail of a phone's."""
    image = Image.open(io.BytesIO(small()[0])).resize(LARGE_SIZE, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 5, (LARGE_SIZE[1], LARGE_SIZE[0], 1))
    return _jpeg(Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8)), 92)


def write_folder(folder: Path, photographs: list[bytes], count: int) -> Path:
    """`count` files; their names make them different pictures."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:05}.jpg").write_bytes(photographs[number % len(photographs)])
    return folder


def form(jpeg: bytes) -> bytes:
    """The body of an upload: multipart/form-data with the field `file`."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="leaf.jpg"\r\n'
    return head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + jpeg + f"\r\n--{BOUNDARY}--\r\n".encode()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _painted(seed: int) -> Image.Image:
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : SMALL_PX * 1j, -1 : 1 : SMALL_PX * 1j]
    pixels = np.broadcast_to(dice.uniform(90, 200, 3), (SMALL_PX, SMALL_PX, 3)).copy()
    pixels[(x / 0.6) ** 2 + (y / 0.85) ** 2 < 1] = dice.uniform((30, 90, 20), (80, 160, 60))
    return Image.fromarray((pixels + dice.normal(0, 12, pixels.shape)).clip(0, 255).astype(np.uint8))
