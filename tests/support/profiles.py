"""ICC profiles, made for a test (ICC.1:2010)."""

import struct

SRGB_XYZ = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
"""Of red, green and blue, under D50."""


def _fixed(value):
    return struct.pack(">i", round(value * 65536))


def _text(text):
    letters = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(letters), 28) + letters


def _curve(gamma):
    """An empty curve is linear; None: sRGB's own."""
    if gamma is None:
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(map(_fixed, numbers))
    if gamma == 1:
        return b"curv" + bytes(4) + struct.pack(">I", 0)
    return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(gamma)


def _xyz(values):
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _profile(space, tags):
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags:
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x04300000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += _fixed(0.9642) + _fixed(1) + _fixed(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def matrix_profile(name="test", gamma=None, xyz=SRGB_XYZ, cicp=None):
    curve = _curve(gamma)
    tags = [(b"desc", _text(name)), (b"cprt", _text("none")), (b"wtpt", _xyz((0.9642, 1, 0.8249)))]
    tags += [(channel + b"XYZ", _xyz(values)) for channel, values in zip((b"r", b"g", b"b"), xyz, strict=True)]
    tags += [(channel + b"TRC", curve) for channel in (b"r", b"g", b"b")]
    if cicp:
        tags.append((b"cicp", b"cicp" + bytes(4) + bytes(cicp)))
    return _profile(b"RGB ", tags)


def gamma_profile(gamma, name="grey"):
    tags = [(b"desc", _text(name)), (b"cprt", _text("none")), (b"wtpt", _xyz((0.9642, 1, 0.8249)))]
    return _profile(b"GRAY", [*tags, (b"kTRC", _curve(gamma))])
