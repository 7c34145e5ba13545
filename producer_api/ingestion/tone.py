"""Colours of videos in wide gamut and high dynamic range, as an sRGB screen shows them."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter

BT709, BT2020, DISPLAY_P3, DCI_P3 = 1, 9, 12, 11
"""Primaries (ITU-T H.273, table 2) that differ from sRGB's so much that it is seen; with BT.709, which are sRGB's."""
PQ, HLG = 16, 18
"""Transfer characteristics (ITU-T H.273, table 3) of high dynamic range."""
WHITE_NITS: Final = 203.0
"""Diffuse white, ITU-R BT.2408: what an SDR screen shows as nearly white. 75 % of HLG's signal, 58 % of PQ's."""
PEAK_NITS: Final = 1000.0
KNEE: Final = 0.7
"""Share of diffuse white up to which nothing is compressed; highlights share the rest."""
NODES: Final = 33

_TO_BT709: Final = {
    BT2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    DISPLAY_P3: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
_TO_BT709_ALSO: Final = {DCI_P3: DISPLAY_P3}
_LUMINANCE: Final = np.array([0.2627, 0.6780, 0.0593])
"""Of BT.2020's primaries."""


def in_srgb(image: Image.Image, transfer: int, primaries: int) -> Image.Image:
    """An RGB picture of these characteristics in sRGB; itself where it looks the same there."""
    hdr = transfer in {PQ, HLG}
    primaries = _TO_BT709_ALSO.get(primaries, primaries)
    if hdr and primaries != BT709 and primaries not in _TO_BT709:
        primaries = BT2020  # HDR is nothing else where it does not say so
    if not hdr and primaries not in _TO_BT709:
        return image
    return image.filter(_table(transfer if hdr else 0, primaries))


@lru_cache(maxsize=8)
def _table(transfer: int, primaries: int) -> ImageFilter.Color3DLUT:
    axis = np.linspace(0, 1, NODES)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")  # red changes fastest
    signal = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    light = {PQ: _pq, HLG: _hlg}.get(transfer, _srgb_light)(signal)
    if primaries in _TO_BT709:
        light = light @ np.array(_TO_BT709[primaries]).T
    light = np.maximum(light, 0)
    table = _srgb_signal(_compressed(light) if transfer else np.minimum(light, 1)).astype(np.float32)
    return ImageFilter.Color3DLUT(NODES, table.reshape(-1).tolist())


def _pq(signal: Any) -> Any:
    """Light of SMPTE ST 2084, diffuse white is 1."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10_000 / WHITE_NITS * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _hlg(signal: Any) -> Any:
    """Light of ITU-R BT.2100's HLG on a screen of 1,000 nits, diffuse white is 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = np.maximum(scene @ _LUMINANCE, 1e-9)[:, None]
    return PEAK_NITS / WHITE_NITS * scene * luminance**0.2


def _compressed(light: Any) -> Any:
    """Light up to the knee as it is; what is above, up to the peak, shares what is left below 1."""
    room = PEAK_NITS / WHITE_NITS - KNEE
    above = np.clip((light - KNEE) / room, 0, 1)
    slope = room / (1 - KNEE)
    shared = KNEE + (1 - KNEE) * slope * above / (1 + (slope - 1) * above)
    return np.where(light > KNEE, shared, light)


def _srgb_light(signal: Any) -> Any:
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _srgb_signal(light: Any) -> Any:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
