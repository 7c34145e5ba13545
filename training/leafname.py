"""Which leaf a photograph shows, as far as its file name tells."""

import re
from pathlib import PurePosixPath
from typing import Final

SHOTS_PER_GROUP: Final = 24
"""The same leaf was photographed several times in a row; runs this long are kept together."""

_AUGMENTED: Final = re.compile(
    r"(_new\w*|_flip\w*|_\d+deg\w*|[_-](aug|rot|rotated|mirror|copy|noise|bright)\w*|_final_masked)+$",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(r"(\s*\(\d+\))+$")
"""A copy where names are PlantVillage's; else it may be all that tells photographs apart, as in `image (1).JPG`."""
_UUID: Final = re.compile(r"^(image \(\d+\) )?[0-9a-f]{8}-[0-9a-f-]{27}_+", re.IGNORECASE)
_NAMED_LEAF: Final = re.compile(r"^(?P<series>.*leaf\s*\d+)", re.IGNORECASE)
_SHOT: Final = re.compile(r"^(?P<series>.*?)[\s_]*(?P<shot>\d+)(\.\d+)?$")


def leaf_of(path: PurePosixPath) -> str:
    """Name of the group of photographs that may show the same leaf.

    PlantVillage names end in camera series and shot number (`<uuid>___RS_HL 0411.JPG`) or name the leaf
    (`<uuid>___GH_HL Leaf 428.JPG`); an augmented copy (`..._flipLR`, `..._90deg`) belongs to its parent. Any other
    name is a leaf of its own.

    >>> leaf_of(PurePosixPath("0a5e9323-dbad-432d-ac58-d291718345d9___RS_HL 0411_90deg.JPG"))
    'RS_HL 17'
    """
    bare = _UUID.sub("", path.stem)
    if bare == path.stem:
        return _AUGMENTED.sub("", bare)
    while (parent := _NUMBERED.sub("", _AUGMENTED.sub("", bare))) != bare:
        bare = parent
    if named := _NAMED_LEAF.match(bare):
        return named["series"]
    if shot := _SHOT.match(bare):
        return f"{shot['series']} {int(shot['shot']) // SHOTS_PER_GROUP}"
    return bare
