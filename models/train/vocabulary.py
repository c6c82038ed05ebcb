"""The language of the embedded model: what a clip can show, how a caption says it, and which clips training never sees.

A scene is a background colour and one or two objects. An object has a colour, a shape, a size and a motion. Two objects of a scene
differ in colour, and no object has the colour of the background. Captions follow one grammar:

    caption    = object ["and" object] background ["."]
    object     = ("a" | "an") [size] colour shape motion
    background = ("on" | "over" | "against") ("a" | "an") colour "background"

Needs the standard library alone.
"""

import dataclasses
import random

# Palette, 8-bit sRGB. The nearest two are 100 apart, so that a colour can be read back after compression.
COLOURS = {
    "red": (215, 35, 35),
    "orange": (245, 140, 25),
    "yellow": (245, 230, 70),
    "green": (35, 150, 60),
    "cyan": (70, 210, 225),
    "blue": (40, 70, 210),
    "purple": (125, 40, 165),
    "pink": (250, 150, 195),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
}
SHAPES = ("circle", "square", "triangle", "diamond", "cross")
# Radius in pixels of the circle; the other shapes are scaled to about its area. "" is an object without a size word.
SIZES = {"small": (9.0, 10.5), "": (13.5, 15.5), "large": (19.0, 22.0)}
MOTIONS = ("left", "right", "up", "down", "circle", "still")

# First the usual way to say it, then others that training also sees.
MOTION_WORDS = {
    "left": ("moves left", "moves to the left", "is moving left"),
    "right": ("moves right", "moves to the right", "is moving right"),
    "up": ("moves up", "moves upwards", "is moving up"),
    "down": ("moves down", "moves downwards", "is moving down"),
    "circle": ("moves in a circle", "moves around in a circle", "is moving in a circle"),
    "still": ("stays still", "does not move", "is not moving"),
}
BACKGROUND_WORDS = ("on", "over", "against")

HEIGHT, WIDTH, FRAMES = 96, 160, 17
COLOUR_NAMES = tuple(COLOURS)
SIZE_NAMES = tuple(SIZES)
DEMO_PROMPT = "a red circle moves right on a blue background"


@dataclasses.dataclass(frozen=True)
class Object:
    colour: str
    shape: str
    size: str
    motion: str


@dataclasses.dataclass(frozen=True)
class Scene:
    background: str
    objects: tuple


def held_out(background: str, thing: Object) -> bool:
    """True for one in ten of the (background, colour, shape, motion) combinations. Training draws no clip with such an object."""
    code = COLOUR_NAMES.index(background)
    for names, value in ((COLOUR_NAMES, thing.colour), (SHAPES, thing.shape), (MOTIONS, thing.motion)):
        code = code * 16 + names.index(value)
    # Knuth's multiplicative hash; the high bits are the mixed ones.
    return ((code * 2654435761) % 2**32) >> 8 & 0xFFFF < 0x10000 // 10


def random_object(rng: random.Random, background: str, taken: tuple = ()) -> Object:
    colours = [c for c in COLOUR_NAMES if c != background and c not in taken]
    return Object(rng.choice(colours), rng.choice(SHAPES), rng.choice(SIZE_NAMES), rng.choice(MOTIONS))


def random_scene(rng: random.Random, count: int, want_held_out: bool = False) -> Scene:
    """A scene of `count` objects; with want_held_out at least the first object is held out of training, else none is."""
    while True:
        background = rng.choice(COLOUR_NAMES)
        objects = []
        for _ in range(count):
            objects.append(random_object(rng, background, tuple(o.colour for o in objects)))
        flags = [held_out(background, o) for o in objects]
        if flags[0] if want_held_out else not any(flags):
            return Scene(background, tuple(objects))


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def caption(scene: Scene, rng: random.Random | None = None) -> str:
    """The usual caption, or with `rng` one of the other ways to say the same."""
    plain = rng is None or rng.random() < 0.6
    phrases = []
    for thing in scene.objects:
        words = [thing.size] if thing.size else []
        words += [thing.colour, thing.shape]
        motion = MOTION_WORDS[thing.motion][0] if plain else rng.choice(MOTION_WORDS[thing.motion])
        phrases.append(f"{article(words[0])} {' '.join(words)} {motion}")
    place = "on" if plain else rng.choice(BACKGROUND_WORDS)
    text = f"{' and '.join(phrases)} {place} {article(scene.background)} {scene.background} background"
    return text + "." if rng is not None and rng.random() < 0.15 else text


def parse(text: str) -> Scene:
    """The scene a caption of the grammar describes. Raises ValueError for any other text."""
    words = text.lower().rstrip(".").split()
    if len(words) < 4 or words[-1] != "background" or words[-4] not in BACKGROUND_WORDS or words[-2] not in COLOURS:
        raise ValueError(f"no background in: {text}")
    objects = []
    for phrase in " ".join(words[:-4]).split(" and "):
        parts = phrase.split()[1:]
        size = parts.pop(0) if parts and parts[0] in ("small", "large") else ""
        if len(parts) < 3 or parts[0] not in COLOURS or parts[1] not in SHAPES:
            raise ValueError(f"no object in: {phrase}")
        said = " ".join(parts[2:])
        motions = [m for m, ways in MOTION_WORDS.items() if said in ways]
        if not motions:
            raise ValueError(f"no motion in: {phrase}")
        objects.append(Object(parts[0], parts[1], size, motions[0]))
    return Scene(words[-2], tuple(objects))


def held_out_prompts(per_count: int = 100, seed: int = 2026) -> list:
    """The test's prompts: `per_count` of one object, then as many of two, all held out of training, each said the usual way."""
    rng = random.Random(seed)
    prompts = []
    for count in (1, 2):
        chosen = set()
        while len(chosen) < per_count:
            chosen.add(caption(random_scene(rng, count, want_held_out=True)))
        prompts += [text for _, text in sorted((rng.random(), text) for text in sorted(chosen))]
    return prompts
