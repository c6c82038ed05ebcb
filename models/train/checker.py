"""Reads a clip: the background, and colour, shape, size and motion of every object. It never sees the prompt while it reads.

Needs numpy alone. `checker.py CLIP [PROMPT]` reads a folder of PNG frames or a .y4m file.
"""

import dataclasses
import math
import pathlib
import struct
import sys
import zlib

import numpy

from vocabulary import COLOUR_NAMES, COLOURS, SHAPES, Scene, parse

PALETTE = numpy.array(list(COLOURS.values()), numpy.float32)
FOREGROUND = 48.0  # A pixel this far from the background (RGB, 8-bit levels) belongs to an object. Palette colours are 100 apart.
MIN_CORE = 16  # An object shows at least so many pixels whose 3x3 neighbourhood has its colour ...
MIN_PRESENT = 0.6  # ... in at least this share of the frames.
# How a template's outline is changed to be nearer to what a model paints: blurred by so many pixels, and sharp again or not.
OUTLINES = ((0.0, False), (1.0, False), (2.0, False), (3.0, False), (2.0, True), (3.0, True))
SHAPE_FRAMES = 6  # A shape is read off so many frames, evenly spread.
MIN_FIT = 0.6  # Below this overlap with the best template an object has no shape.


@dataclasses.dataclass(frozen=True)
class Seen:
    """One object as read from the frames."""

    colour: str
    shape: str  # one of SHAPES, or "unclear"
    size: str  # "small", "" or "large"
    motion: str  # one of MOTIONS, or "unclear"
    fit: float  # mean overlap (intersection over union) with the template of `shape`
    path: numpy.ndarray  # [frames, 2] centre as (x, y); NaN where the object is not seen


@dataclasses.dataclass(frozen=True)
class Reading:
    background: str
    objects: tuple


def neighbourhood(mask: numpy.ndarray, steps: int, combine) -> numpy.ndarray:
    """Combines every value with its 3x3 neighbours, `steps` times; outside the picture is False."""
    for _ in range(steps):
        padded = numpy.pad(mask, ((0, 0), (1, 1), (1, 1)))
        rows = combine(combine(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
        mask = combine(combine(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
    return mask


def fit_background(frames: numpy.ndarray) -> numpy.ndarray:
    """[H, W, 3]: the plane in x and y per channel that most pixels lie on."""
    height, width = frames.shape[1:3]
    y, x = numpy.mgrid[:height, :width]
    basis = numpy.stack([numpy.ones((height, width)), x / width - 0.5, y / height - 0.5], -1).astype(numpy.float32)
    step = max(1, len(frames) // 5)
    pixels = frames[::step].reshape(-1, 3)
    spots = numpy.broadcast_to(basis, (len(frames[::step]), *basis.shape)).reshape(-1, 3)
    # The background's colour holds most pixels: start from the fullest cell of a coarse colour histogram.
    cells, counts = numpy.unique((pixels // 32).astype(numpy.int32) @ numpy.array([1, 8, 64]), return_counts=True)
    cell = cells[counts.argmax()]
    model = numpy.broadcast_to((numpy.array([cell % 8, cell // 8 % 8, cell // 64]) * 32 + 16).astype(numpy.float32), pixels.shape)
    for reach in (50.0, 40.0, 30.0):
        near = numpy.linalg.norm(pixels - model, axis=-1) < reach
        plane = numpy.linalg.lstsq(spots[near], pixels[near], rcond=None)[0]
        model = spots @ plane
    return basis @ plane


def template(shape: str, x: numpy.ndarray, y: numpy.ndarray, radius: float) -> numpy.ndarray:
    """How much of each pixel the shape around the origin covers, 0 to 1."""
    ax, ay = numpy.abs(x), numpy.abs(y)
    if shape == "circle":
        distance = numpy.hypot(x, y) - radius
    elif shape == "square":
        distance = numpy.maximum(ax, ay) - 0.9 * radius
    elif shape == "triangle":
        distance = numpy.maximum(y, 0.5 * (math.sqrt(3) * ax - y)) - 0.68 * radius
    elif shape == "diamond":
        distance = (ax + ay - 1.25 * radius) / math.sqrt(2)
    else:
        long, short = 1.15 * radius, 0.42 * radius
        distance = numpy.minimum(numpy.maximum(ax - long, ay - short), numpy.maximum(ax - short, ay - long))
    return numpy.clip(0.5 - distance, 0, 1)


def blur(picture: numpy.ndarray, sigma: float) -> numpy.ndarray:
    """Gaussian blur of a picture whose border is empty."""
    weights = numpy.exp(-(numpy.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1) ** 2) / (2 * sigma * sigma))
    for _ in range(2):
        picture = sum(w * numpy.roll(picture, i - len(weights) // 2, 0) for i, w in enumerate(weights / weights.sum())).T
    return picture


def redraw(picture: numpy.ndarray, sigma: float, sharpen: bool) -> numpy.ndarray:
    """The picture blurred; sharpened again, its corners, outer and inner ones, are rounded."""
    if not sigma:
        return picture
    soft = blur(picture, sigma)
    # The slope of a blurred straight edge is 1 / (sigma sqrt(2 pi)): this makes it 1 again.
    return numpy.clip((soft - 0.5) * (sigma * math.sqrt(2 * math.pi)) + 0.5, 0, 1) if sharpen else soft


# Area of each template at radius 1.
AREA = {
    "circle": math.pi,
    "square": 4 * 0.9**2,
    "triangle": 3 * math.sqrt(3) * 0.68**2,
    "diamond": 2 * 1.25**2,
    "cross": 4 * (2 * 1.15 * 0.42 - 0.42**2),
}


def read_shape(shares: numpy.ndarray, path: numpy.ndarray) -> tuple:
    """(shape, overlap, radius) of an object that covers `shares` [frames, H, W] of the pixels, with its centre at path [frames, 2].

    Each template is laid at the centre with the object's area, as it is, blurred, and with rounded corners (OUTLINES): a model paints softer
    than clips.py draws. The overlap is the intersection over the union of covered area, averaged over the frames; the best template wins.
    """
    reach = 40  # No object is wider than this from its centre.
    some = numpy.linspace(0, len(shares) - 1, min(len(shares), SHAPE_FRAMES)).round().astype(int)
    shares, path = shares[some].astype(numpy.float32), path[some]
    shares = numpy.pad(shares, ((0, 0), (reach, reach), (reach, reach)))
    scores, radii = {}, dict.fromkeys(SHAPES, 0.0)
    for share, (cx, cy) in zip(shares, path):
        left, top = int(cx), int(cy)
        window = share[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
        y, x = numpy.mgrid[: 2 * reach + 1, : 2 * reach + 1].astype(numpy.float32) - reach
        for shape in SHAPES:
            radius = math.sqrt(window.sum() / AREA[shape])
            laid = template(shape, x - (cx - left), y - (cy - top), radius)
            radii[shape] += radius / len(shares)
            for outline in OUTLINES:
                drawn = redraw(laid, *outline)
                overlap = numpy.minimum(window, drawn).sum() / max(1.0, numpy.maximum(window, drawn).sum())
                scores[shape, outline] = scores.get((shape, outline), 0.0) + overlap / len(shares)
    best = max(scores, key=scores.get, default=(SHAPES[0], None))
    fit = scores.get(best, 0.0)
    return (best[0] if fit >= MIN_FIT else "unclear"), fit, radii[best[0]]


def read_motion(path: numpy.ndarray) -> str:
    """The motion of a centre over time. `path` [frames, 2]; frames without a centre are NaN."""
    points = path[~numpy.isnan(path[:, 0])]
    if len(points) < 3:
        return "unclear"
    extent = numpy.ptp(points, axis=0)
    moved = points[-1] - points[0]
    if extent.max() < 7:
        return "still"
    if extent.min() > 14 and extent.min() > 0.5 * extent.max():
        around = points - (points.max(0) + points.min(0)) / 2
        angles = numpy.unwrap(numpy.arctan2(around[:, 1], around[:, 0]))
        return "circle" if abs(angles[-1] - angles[0]) > math.radians(220) else "unclear"
    if abs(moved[0]) > 20 and abs(moved[0]) > 2 * extent[1]:
        return "right" if moved[0] > 0 else "left"
    if abs(moved[1]) > 14 and abs(moved[1]) > 2 * extent[0]:
        return "down" if moved[1] > 0 else "up"
    return "unclear"


def read(frames: numpy.ndarray) -> Reading:
    """Reads [T, H, W, 3] uint8 frames."""
    frames = frames.astype(numpy.float32)
    plane = fit_background(frames)
    background = int(numpy.linalg.norm(PALETTE - plane.mean((0, 1)), axis=-1).argmin())
    distance = numpy.stack([numpy.linalg.norm(frames - colour, axis=-1) for colour in PALETTE], -1)
    distance[..., background] = numpy.inf
    label = distance.argmin(-1)
    label[numpy.linalg.norm(frames - plane, axis=-1) < FOREGROUND] = -1

    cores = {}
    for colour in range(len(PALETTE)):
        core = neighbourhood(label == colour, 1, numpy.logical_and)
        if (core.sum((1, 2)) >= MIN_CORE).mean() >= MIN_PRESENT:
            cores[colour] = core
    # A soft outline between two colours looks like a third. What is left away from the larger objects must still be an object.
    for colour in sorted(cores, key=lambda c: -cores[c].sum())[1:]:
        larger = [other for other in cores if cores[other].sum() > cores[colour].sum()]
        away = cores[colour].copy()
        for other in larger:
            away &= ~neighbourhood(cores[other], 3, numpy.logical_or)
        if (away.sum((1, 2)) >= MIN_CORE).mean() < MIN_PRESENT:
            del cores[colour]
    objects = []
    for colour, core in cores.items():
        near = neighbourhood(core, 4, numpy.logical_or)
        for other in cores:
            if other != colour:
                near &= ~neighbourhood(cores[other], 1, numpy.logical_or)
        # How far from the background to the object's colour a pixel is: half of it is the outline.
        towards = numpy.median(frames[core], axis=0) - plane
        share = ((frames - plane) * towards).sum(-1) / (towards * towards).sum(-1)
        share = numpy.clip(share, 0, 1) * near
        area = share.sum((1, 2))
        path = numpy.full((len(frames), 2), numpy.nan)
        y, x = numpy.mgrid[: frames.shape[1], : frames.shape[2]]
        seen = numpy.flatnonzero(area >= MIN_CORE)
        for t in seen:
            path[t] = (x * share[t]).sum() / area[t], (y * share[t]).sum() / area[t]
        shape, fit, radius = read_shape(share[seen], path[seen])
        size = "small" if radius < 12 else "large" if radius > 17.2 else ""
        objects.append(Seen(COLOUR_NAMES[colour], shape, size, read_motion(path), fit, path))
    return Reading(COLOUR_NAMES[background], tuple(objects))


def compare(scene: Scene, reading: Reading) -> dict:
    """What of a prompt's scene the clip shows: background, count, colour, shape, motion, size, and `all` (without the size)."""
    seen = {thing.colour: thing for thing in reading.objects}
    result = {
        "background": reading.background == scene.background,
        "count": len(reading.objects) == len(scene.objects),
        "colour": all(thing.colour in seen for thing in scene.objects),
    }
    for what in ("shape", "motion", "size"):
        result[what] = all(t.colour in seen and getattr(seen[t.colour], what) == getattr(t, what) for t in scene.objects)
    result["all"] = all(result[what] for what in ("background", "count", "colour", "shape", "motion"))
    return result


def describe(reading: Reading) -> str:
    """One line of text: every object with how well its shape fits, and the background."""
    things = [f"{thing.size or 'medium'} {thing.colour} {thing.shape}, {thing.motion} (fit {thing.fit:.2f})" for thing in reading.objects]
    return f"{'; '.join(things) or 'nothing'} on {reading.background}"


def read_png(path: pathlib.Path) -> numpy.ndarray:
    """[H, W, 3] uint8 of an 8-bit RGB PNG without interlacing."""
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG")
    at, packed, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    if header is None or header[2:4] != (8, 2) or header[6] != 0:
        raise ValueError(f"{path}: only 8-bit RGB without interlacing is read")
    width, height = header[:2]
    rows = numpy.frombuffer(zlib.decompress(packed), numpy.uint8).reshape(height, 1 + 3 * width)
    picture = numpy.zeros((height, 3 * width), numpy.uint8)
    above = numpy.zeros(3 * width, numpy.int32)
    for i, row in enumerate(rows):
        picture[i] = unfilter(int(row[0]), row[1:].astype(numpy.int32), above)
        above = picture[i].astype(numpy.int32)
    return picture.reshape(height, width, 3)


def unfilter(kind: int, line: numpy.ndarray, above: numpy.ndarray) -> numpy.ndarray:
    """Undoes one PNG row filter (PNG specification, section 9.2) for three bytes a pixel."""
    if kind == 0:
        return line
    if kind == 2:
        return (line + above) & 255
    if kind == 1:
        return (line.reshape(-1, 3).cumsum(0) & 255).reshape(-1)
    line = line.copy()
    for i in range(len(line)):
        left = int(line[i - 3]) if i >= 3 else 0
        up = int(above[i])
        if kind == 3:
            guess = (left + up) // 2
        else:
            corner = int(above[i - 3]) if i >= 3 else 0
            p = left + up - corner
            a, b, c = abs(p - left), abs(p - up), abs(p - corner)
            guess = left if a <= b and a <= c else up if b <= c else corner
        line[i] = (line[i] + guess) & 255
    return line


def read_y4m(path: pathlib.Path) -> numpy.ndarray:
    """[T, H, W, 3] uint8 of a YUV4MPEG2 file, 4:2:0 or 4:4:4, 8 bits, BT.601 (limited range unless the header says full)."""
    data = path.read_bytes()
    end = data.index(b"\n")
    fields = data[:end].decode().split()
    if fields[0] != "YUV4MPEG2":
        raise ValueError(f"{path} is no YUV4MPEG2 file")
    value = {field[0]: field[1:] for field in fields[1:] if field[0] != "X"}
    width, height, chroma = int(value["W"]), int(value["H"]), value.get("C", "420jpeg")
    if not (chroma.startswith("420") or chroma == "444") or "p1" in chroma:
        raise ValueError(f"{path}: chroma {chroma} is not read")
    half = 1 if chroma == "444" else 2
    small = (-(-height // half), -(-width // half))
    size = height * width + 2 * small[0] * small[1]
    full = "XCOLORRANGE=FULL" in fields
    frames, at = [], end + 1
    while at < len(data):
        at = data.index(b"\n", at) + 1
        planes = numpy.frombuffer(data, numpy.uint8, size, at).astype(numpy.float32)
        at += size
        luma = planes[: height * width].reshape(height, width)
        cb, cr = planes[height * width :].reshape(2, *small) - 128
        cb, cr = (c.repeat(half, 0).repeat(half, 1)[:height, :width] for c in (cb, cr))
        if not full:
            luma, cb, cr = (luma - 16) * (255 / 219), cb * (255 / 224), cr * (255 / 224)
        rgb = numpy.stack([luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb], -1)
        frames.append(numpy.clip(numpy.rint(rgb), 0, 255).astype(numpy.uint8))
    return numpy.stack(frames)


def load(path: pathlib.Path) -> numpy.ndarray:
    """[T, H, W, 3] uint8 of a folder of PNG frames (in the order of their names) or a .y4m file."""
    if path.is_dir():
        files = sorted(path.glob("*.png"))
        if not files:
            raise ValueError(f"no PNG frames in {path}")
        return numpy.stack([read_png(file) for file in files])
    return read_y4m(path)


if __name__ == "__main__":
    result = read(load(pathlib.Path(sys.argv[1])))
    print(describe(result))
    if len(sys.argv) > 2:
        print(compare(parse(sys.argv[2]), result))
