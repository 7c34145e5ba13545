"""Which part of a frame becomes an event: a crop, and tiles where one leaf is small in the picture."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

from PIL import Image

from schemas.errors import ConfigurationError, ImageError


class Crop(NamedTuple):
    """Pixels of the upright picture."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `X,Y,W,H`. Raises ConfigurationError."""
        if not re.fullmatch(r"\d+,\d+,[1-9]\d*,[1-9]\d*", text):
            msg = f"{text!r} is no crop"
            raise ConfigurationError(msg, "Give X,Y,WIDTH,HEIGHT in pixels, as in 0,200,1920,800.")
        return cls(*map(int, text.split(",")))

    def of(self, image: Image.Image) -> Image.Image:
        """That part of a picture. Raises ImageError where it leaves the picture."""
        if self.x + self.width > image.width or self.y + self.height > image.height:
            msg = f"the crop {','.join(map(str, self))} leaves the picture of {image.width} x {image.height} pixels"
            raise ImageError(msg, "Choose a crop inside the picture.")
        return image.crop((self.x, self.y, self.x + self.width, self.y + self.height))


class Tiles(NamedTuple):
    """A grid."""

    columns: int
    rows: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `CxR`. Raises ConfigurationError."""
        if not re.fullmatch(r"[1-9]\d?x[1-9]\d?", text):
            msg = f"{text!r} is no grid of tiles"
            raise ConfigurationError(msg, "Give COLUMNSxROWS, as in 4x3.")
        return cls(*map(int, text.split("x")))


class Cut(NamedTuple):
    """First the crop, then the tiles."""

    crop: Crop | None = None
    tiles: Tiles | None = None

    def parts(self, cropped: Image.Image) -> Iterator[tuple[str, Image.Image]]:
        """Name and picture of each part, row by row, or of the whole, which has no name if it is not cropped."""
        name = "#crop={},{},{},{}".format(*self.crop) if self.crop else ""
        if not self.tiles:
            yield name, cropped
            return
        columns, rows = self.tiles
        for row in range(rows):
            for column in range(columns):
                box = (
                    cropped.width * column // columns,
                    cropped.height * row // rows,
                    cropped.width * (column + 1) // columns,
                    cropped.height * (row + 1) // rows,
                )
                yield f"{name}#tile={column},{row}/{columns}x{rows}", cropped.crop(box)
