"""The checker reads drawn clips without a mistake, also blurred and noisy ones, and does not take a clip for what it is not."""

import pathlib
import random
import struct
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models" / "train"))

import numpy
import torch

import checker
import clips
import vocabulary
from parity import Report
from vocabulary import Object, Scene

torch.set_num_threads(2)
EVERYTHING = ("background", "count", "colour", "shape", "motion", "size", "all")


def wrong(scenes, frames):
    """What was misread, as text; empty when nothing was."""
    faults = []
    for scene, clip in zip(scenes, frames):
        result = checker.compare(scene, checker.read(clip))
        faults += [f"{vocabulary.caption(scene)}: {[w for w in EVERYTHING if not result[w]]}"] if not all(result.values()) else []
    return "; ".join(faults)


def blurred(frames, sigma):
    at = numpy.arange(-8, 9)
    weights = numpy.exp(-(at**2) / (2 * sigma**2))
    weights /= weights.sum()
    picture = frames.astype(numpy.float64)
    for axis in (2, 3):
        widths = [(8, 8) if i == axis else (0, 0) for i in range(5)]
        padded = numpy.pad(picture, widths, mode="edge")
        picture = sum(w * padded.take(range(i, i + frames.shape[axis]), axis) for i, w in enumerate(weights))
    return picture


def write_png(path, picture):
    """A PNG that uses every row filter in turn."""
    height, width, _ = picture.shape
    rows, above = b"", numpy.zeros(3 * width, numpy.int32)
    for y, line in enumerate(picture.reshape(height, -1).astype(numpy.int32)):
        left = numpy.concatenate([numpy.zeros(3, numpy.int32), line[:-3]])
        corner = numpy.concatenate([numpy.zeros(3, numpy.int32), above[:-3]])
        p = left + above - corner
        a, b, c = abs(p - left), abs(p - above), abs(p - corner)
        paeth = numpy.where((a <= b) & (a <= c), left, numpy.where(b <= c, above, corner))
        guess = (0, left, above, (left + above) // 2, paeth)[y % 5]
        rows += bytes([y % 5]) + ((line - guess) % 256).astype(numpy.uint8).tobytes()
        above = line

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_y4m(path, frames):
    """A 4:4:4 YUV4MPEG2 file, BT.601 limited range."""
    matrix = numpy.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    with open(path, "wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F16:1 C444\n" % (frames.shape[2], frames.shape[1]))
        for frame in frames:
            planes = numpy.moveaxis(frame @ matrix.T, -1, 0) * numpy.array([219, 224, 224])[:, None, None] / 255
            planes += numpy.array([16, 128, 128])[:, None, None]
            file.write(b"FRAME\n" + numpy.rint(planes).astype(numpy.uint8).tobytes())


def main():
    report, rng = Report(), random.Random(7)
    # Every shape, motion, size and colour in turn; then pairs.
    singles = []
    for i in range(20):
        background = vocabulary.COLOUR_NAMES[i % 10]
        colour = vocabulary.COLOUR_NAMES[(i + 1 + i // 10 * 4) % 10]
        singles.append(Scene(background, (Object(colour, vocabulary.SHAPES[i % 5], vocabulary.SIZE_NAMES[i % 3], vocabulary.MOTIONS[i % 6]),)))
    pairs = [vocabulary.random_scene(rng, 2) for _ in range(12)]
    frames = clips.to_bytes(clips.draw_scenes(singles + pairs, seed=3))
    faults = wrong(singles + pairs, frames)
    report.check("drawn clips", not faults, faults or f"{len(frames)} read without a mistake")

    soft = blurred(frames[::3], 1.5) + numpy.random.default_rng(1).normal(0, 6, frames[::3].shape)
    faults = wrong((singles + pairs)[::3], numpy.clip(numpy.rint(soft), 0, 255).astype(numpy.uint8))
    report.check("blurred and noisy clips", not faults, faults or f"{len(soft)} read without a mistake")

    # Negative controls: the checker must see each of these faults, and only it.
    scene = vocabulary.parse("a red circle moves right and a small green square moves up on a blue background")
    clip = clips.to_bytes(clips.draw_scenes([scene], seed=5))[0]
    reading = checker.read(clip)
    others = {
        "shape": "a red diamond moves right and a small green square moves up on a blue background",
        "motion": "a red circle moves right and a small green square moves down on a blue background",
        "size": "a large red circle moves right and a small green square moves up on a blue background",
        "background": "a red circle moves right and a small green square moves up on a purple background",
    }
    for what, prompt in others.items():
        failed = [w for w in EVERYTHING[:-1] if not checker.compare(vocabulary.parse(prompt), reading)[w]]
        report.check(f"another {what}", failed == [what], f"sees {failed}")
    swapped = vocabulary.parse("a green circle moves right and a small red square moves up on a blue background")
    report.check("swapped colours", not checker.compare(swapped, reading)["all"], "refused")
    one = vocabulary.parse("a red circle moves right on a blue background")
    report.check("an object too many", not checker.compare(one, reading)["count"], "refused")
    backwards = checker.compare(scene, checker.read(clip[::-1]))
    report.check("backwards", not backwards["motion"] and backwards["shape"], "motion refused, shape read")
    jumbled = checker.compare(scene, checker.read(clip[numpy.random.default_rng(2).permutation(len(clip))]))
    report.check("frames out of order", not jumbled["motion"], "motion refused")
    blank = checker.compare(scene, checker.read(numpy.full_like(clip, clip[0, 0, 0])))
    report.check("an empty clip", not blank["all"] and not blank["colour"], "refused")

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "frames").mkdir()
        for i in range(2):
            write_png(folder / "frames" / f"{i:02}.png", clip[i])
        report.check("PNG frames", numpy.array_equal(checker.load(folder / "frames"), clip[:2]), "all row filters, bit for bit")
        write_y4m(folder / "clip.y4m", clip)
        worst = int(abs(checker.load(folder / "clip.y4m").astype(int) - clip).max())
        # Three channels rounded to 8-bit limited range and back: at most 0.5 * 255/219 + 0.5 * 1.772 * 255/224, and a rounding.
        report.check("y4m", worst <= 3, f"within {worst} levels")

    prompts = (pathlib.Path(__file__).parent / "held_out_prompts.txt").read_text().splitlines()
    report.check("prompts of the test", prompts == vocabulary.held_out_prompts() and len(set(prompts)) == 200, "200 as the vocabulary gives them")
    seen = [p for p in prompts if not vocabulary.held_out(vocabulary.parse(p).background, vocabulary.parse(p).objects[0])]
    report.check("held out", not seen, "no prompt's scene is drawn in training")
    drawn = [vocabulary.random_scene(rng, 1 + i % 2) for i in range(2000)]
    leaked = [s for s in drawn if any(vocabulary.held_out(s.background, thing) for thing in s.objects)]
    report.check("training scenes", not leaked, "none of 2000 is held out")
    said = [vocabulary.caption(s, rng) for s in drawn]
    report.check("captions", all(vocabulary.parse(t) == s for t, s in zip(said, drawn)), "2000 parsed back to their scene")
    report.finish()


if __name__ == "__main__":
    main()
