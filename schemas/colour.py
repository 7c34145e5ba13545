"""From the colours a file states to sRGB: by ICC profile, by code points (ITU-T H.273), or by PNG's gamma."""

import io
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Light = npt.NDArray[np.float64]
"""Linear light, 1 is white on paper."""
Curve = Callable[[Light], Light]
"""From the stored value, 0 to 1, to light."""

_D65: Final = (0.3127, 0.3290)
_BT709: Final = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_PRIMARIES: Final[dict[int, Sequence[float]]] = {
    1: _BT709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
"""Code point -> x and y of red, green, blue and white; any other is taken for 1."""
_PQ, _HLG = 16, 18
_WHITE_NITS: Final = 203
"""Of white paper in an HDR image (ITU-R BT.2408)."""
_PEAK_NITS: Final = 1000
_KNEE: Final = 0.8
"""Light up to which tone mapping changes nothing."""
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class Coding(NamedTuple):
    """What an RGB image's numbers mean."""

    primaries: Sequence[float]
    curve: Curve
    hdr: bool = False


def _srgb(value: Light) -> Light:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _power(exponent: float) -> Curve:
    return lambda value: value**exponent


def _pq(value: Light) -> Light:
    """SMPTE ST 2084."""
    root = value ** (1 / 78.84375)
    nits = 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return np.asarray(nits / _WHITE_NITS)


def _hlg(value: Light) -> Light:
    """ARIB STD-B67, still as the scene's light; `_to_srgb` shows it on a display of 1000 nits."""
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)


_CURVES: Final[dict[int, Curve]] = {
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1),
    _PQ: _pq,
    17: lambda value: value**2.6 * 52.37 / 48,
    _HLG: _hlg,
}
"""Code point -> curve; the others are for displays like sRGB's and are taken for it, as browsers do."""


def from_code_points(image: Image.Image, primaries: int, transfer: int) -> Image.Image:
    """An RGB or RGBA image in sRGB, of the colours that `nclx` boxes and `cICP` chunks state. HDR is tone-mapped."""
    if primaries not in _PRIMARIES or primaries == 1:
        if transfer not in _CURVES:
            return image
        primaries = 1
    curve = _CURVES.get(transfer, _srgb)
    return _to_srgb(image, Coding(_PRIMARIES[primaries], curve, transfer in {_PQ, _HLG}))


def from_gamma(image: Image.Image, gamma: float, primaries: Sequence[float] | None) -> Image.Image:
    """An RGB or RGBA image in sRGB, of PNG's gamma (0.45455 is a usual display's) and chromaticities."""
    usual = abs(gamma * 2.2 - 1) < 0.05
    if not 0.01 <= gamma <= 10 or (usual and primaries is None):
        return image
    return _to_srgb(image, Coding(primaries or _BT709, _srgb if usual else _power(1 / gamma)))


def from_icc(image: Image.Image, profile: bytes) -> Image.Image:
    """An L, LA, RGB, RGBA or CMYK image in sRGB. A broken profile, or one for other channels, changes nothing."""
    if code_points := _code_points(profile):
        return from_code_points(image, *code_points) if image.mode in {"RGB", "RGBA"} else image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if image.mode in {"LA", "RGBA"}:
            opaque = image.convert(image.mode[:-1])
            converted = _converted(opaque, source, space)
            if converted is opaque:
                return image
            converted.putalpha(image.getchannel("A"))
            return converted
        return _converted(image, source, space)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _converted(image: Image.Image, source: ImageCms.ImageCmsProfile, space: str) -> Image.Image:
    if image.mode == "L" and space == "RGB":
        image = image.convert("RGB")
    if {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}.get(image.mode) != space:
        return image
    made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return made or image


def _code_points(profile: bytes) -> tuple[int, int] | None:
    """Of an HDR profile's `cicp` tag; its other tags describe no tone mapping."""
    count = min(int.from_bytes(profile[128:132]), 100)
    for at in range(132, 132 + 12 * count, 12):
        if profile[at : at + 4] == b"cicp":
            start = int.from_bytes(profile[at + 4 : at + 8])
            primaries, transfer = profile[start + 8 : start + 9], profile[start + 9 : start + 10]
            if transfer in {bytes((_PQ,)), bytes((_HLG,))}:
                return primaries[0], transfer[0]
    return None


def _to_srgb(image: Image.Image, coding: Coding) -> Image.Image:
    try:
        matrix = np.linalg.inv(_to_xyz(_BT709)) @ _adapted(coding.primaries)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return image  # chromaticities that no light has
    light = coding.curve(np.linspace(0, 1, 256))[np.asarray(image.convert("RGB"))]
    if coding.hdr:
        if coding.curve is _hlg:
            luminance = light @ _to_xyz(coding.primaries)[1]
            light = light * (luminance[..., None] ** 0.2) * (_PEAK_NITS / _WHITE_NITS)
        light = _tone_mapped(light)
    light = np.clip(light @ matrix.T, 0, 1)
    stored = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    made = Image.fromarray(np.round(stored * 255).astype(np.uint8))
    if image.mode == "RGBA":
        made.putalpha(image.getchannel("A"))
    return made


def _tone_mapped(light: Light) -> Light:
    """Light of any strength into 0 to 1: unchanged up to the knee, and hues are kept."""
    most = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
    shown = _KNEE + (1 - _KNEE) * (1 - np.exp(-(most - _KNEE) / (1 - _KNEE)))
    return np.asarray(light * np.where(most <= _KNEE, 1, shown / most))


def _to_xyz(primaries: Sequence[float]) -> Light:
    xy = np.array(primaries, float).reshape(4, 2)
    xyz = np.column_stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    return np.asarray(xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3]))


def _adapted(primaries: Sequence[float]) -> Light:
    """To the XYZ of D65, from whatever white."""
    to_xyz = _to_xyz(primaries)
    white, d65 = _BRADFORD @ to_xyz.sum(1), _BRADFORD @ _to_xyz(_BT709).sum(1)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(d65 / white) @ _BRADFORD @ to_xyz)
