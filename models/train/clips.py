"""Draws clips of scenes: anti-aliased shapes that move over a softly shaded background.

Everything is a batch of PyTorch operations, so thousands of clips a second come from a GPU, and the same code runs on a CPU.
"""

import dataclasses
import functools
import math

import numpy
import torch

from vocabulary import COLOUR_NAMES, COLOURS, FRAMES, HEIGHT, MOTIONS, SHAPES, SIZE_NAMES, SIZES, WIDTH, Scene

LAYOUTS_TRIED = 24  # Placements drawn for each scene, of which one without overlap is taken where there is one.
MARGIN = 1.3  # Nothing reaches farther from an object's centre than this many radii, except a triangle's top corner.


def encode_scenes(scenes: list) -> numpy.ndarray:
    """[N, 9] int64: background, then (colour, shape, size, motion) of each of two objects; a missing object is all -1."""
    rows = numpy.full((len(scenes), 9), -1, numpy.int64)
    for row, scene in zip(rows, scenes):
        row[0] = COLOUR_NAMES.index(scene.background)
        for i, thing in enumerate(scene.objects):
            row[1 + 4 * i : 5 + 4 * i] = (
                COLOUR_NAMES.index(thing.colour),
                SHAPES.index(thing.shape),
                SIZE_NAMES.index(thing.size),
                MOTIONS.index(thing.motion),
            )
    return rows


@dataclasses.dataclass
class Layout:
    """Where everything is: N clips of at most two objects. All tensors are on one device."""

    background: torch.Tensor  # [N] palette index
    colour: torch.Tensor  # [N, 2] palette index, -1 without an object
    shape: torch.Tensor  # [N, 2]
    radius: torch.Tensor  # [N, 2] pixels
    path: torch.Tensor  # [N, 2, FRAMES, 2] centre as (x, y) pixels
    slope: torch.Tensor  # [N, 2] brightness of the background per pixel in x and y, in 8-bit levels

    def __len__(self) -> int:
        return self.background.shape[0]

    def take(self, index: torch.Tensor) -> "Layout":
        return Layout(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))


def place(codes: torch.Tensor, generator: torch.Generator | None = None) -> Layout:
    """Random sizes, places and paths for scenes as encode_scenes() gives them, on the device of `codes`."""
    device, count = codes.device, codes.shape[0]

    def uniform(*shape):
        return torch.rand(*shape, device=device, generator=generator)

    things = codes[:, 1:].view(count, 2, 4)
    size, motion = things[..., 2].clamp(min=0), things[..., 3].clamp(min=0)
    low, high = torch.tensor(list(SIZES.values()), device=device).unbind(-1)
    radius = low[size] + uniform(count, 2) * (high - low)[size]

    shape = (count, LAYOUTS_TRIED, 2)
    motion = motion[:, None].expand(shape)
    reach = (MARGIN * radius)[:, None].expand(shape)
    is_ = {name: motion == i for i, name in enumerate(MOTIONS)}
    across, along = is_["left"] | is_["right"], is_["up"] | is_["down"]
    sign = torch.where(is_["left"] | is_["up"], -1.0, 1.0)
    travel_x = torch.where(across, torch.minimum(48 + 30 * uniform(*shape), WIDTH - 2 * reach), 0.0)
    travel_y = torch.where(along, torch.minimum(30 + 16 * uniform(*shape), HEIGHT - 2 * reach), 0.0)
    orbit = torch.where(is_["circle"], torch.minimum(13 + 5 * uniform(*shape), HEIGHT / 2 - reach), 0.0)
    # The middle of the path is anywhere that keeps the whole path inside.
    room_x, room_y = reach + travel_x / 2 + orbit, reach + travel_y / 2 + orbit
    centre_x = room_x + uniform(*shape) * (WIDTH - 2 * room_x).clamp(min=0)
    centre_y = room_y + uniform(*shape) * (HEIGHT - 2 * room_y).clamp(min=0)

    time = torch.linspace(0, 1, FRAMES, device=device)
    turn = torch.where(uniform(*shape) < 0.5, -1.0, 1.0)
    angle = 2 * math.pi * (uniform(*shape)[..., None] + turn[..., None] * time)
    x = centre_x[..., None] + (sign * travel_x)[..., None] * (time - 0.5) + orbit[..., None] * torch.cos(angle)
    y = centre_y[..., None] + (sign * travel_y)[..., None] * (time - 0.5) + orbit[..., None] * torch.sin(angle)

    # A random one of the layouts that keep the objects apart, else the one that keeps them apart the most.
    apart = torch.hypot(x[:, :, 0] - x[:, :, 1], y[:, :, 0] - y[:, :, 1]).amin(-1) - 1.15 * radius.sum(-1)[:, None]
    best = (apart.clamp(max=2.0) + 0.01 * uniform(count, LAYOUTS_TRIED)).argmax(1)
    rows = torch.arange(count, device=device)
    path = torch.stack([x, y], -1)[rows, best]

    direction, strength = 2 * math.pi * uniform(count), 0.2 * uniform(count)
    slope = torch.stack([torch.cos(direction), torch.sin(direction)], -1) * strength[:, None]
    return Layout(codes[:, 0], things[..., 0], things[..., 1].clamp(min=0), radius, path, slope)


def distances(x: torch.Tensor, y: torch.Tensor, radius: torch.Tensor) -> list:
    """Signed distance (roughly, in pixels; negative inside) to each of SHAPES around the origin, in the order of SHAPES."""
    ax, ay = x.abs(), y.abs()
    long, short = 1.15 * radius, 0.42 * radius
    return [
        torch.hypot(x, y) - radius,
        torch.maximum(ax, ay) - 0.9 * radius,
        torch.maximum(y - 0.68 * radius, 0.5 * (math.sqrt(3) * ax - y) - 0.68 * radius),
        (ax + ay - 1.25 * radius) / math.sqrt(2),
        torch.minimum(torch.maximum(ax - long, ay - short), torch.maximum(ax - short, ay - long)),
    ]


@functools.cache
def palette_on(device: torch.device) -> torch.Tensor:
    """[colours, 3] float32 in 8-bit levels. Kept, since a CUDA graph cannot copy it from the CPU."""
    return torch.tensor(list(COLOURS.values()), device=device, dtype=torch.float32)


def draw(layout: Layout, first: int = 0, frames: int = FRAMES, corner: torch.Tensor | None = None, window=(HEIGHT, WIDTH)) -> torch.Tensor:
    """[N, 3, frames, *window] float32 in [-1, 1]: the frames from `first` on, cut out at `corner` [N, 2] (x, y) if given."""
    device, count = layout.background.device, len(layout)
    palette = palette_on(device)
    y = torch.arange(window[0], device=device, dtype=torch.float32).view(1, 1, -1, 1)
    x = torch.arange(window[1], device=device, dtype=torch.float32).view(1, 1, 1, -1)
    if corner is not None:
        x = x + corner[:, 0].view(-1, 1, 1, 1)
        y = y + corner[:, 1].view(-1, 1, 1, 1)
    shade = layout.slope[:, 0].view(-1, 1, 1, 1) * (x - WIDTH / 2) + layout.slope[:, 1].view(-1, 1, 1, 1) * (y - HEIGHT / 2)
    video = palette[layout.background].view(count, 3, 1, 1, 1) + shade[:, None]
    video = video.clamp(0, 255).expand(count, 3, frames, *window)
    for i in range(2):
        centre = layout.path[:, i, first : first + frames]
        options = distances(
            x - centre[..., 0].view(count, frames, 1, 1),
            y - centre[..., 1].view(count, frames, 1, 1),
            layout.radius[:, i].view(-1, 1, 1, 1),
        )
        distance = options[0]
        for kind in range(1, len(SHAPES)):
            distance = torch.where((layout.shape[:, i] == kind).view(-1, 1, 1, 1), options[kind], distance)
        cover = (0.5 - distance).clamp(0, 1) * (layout.colour[:, i] >= 0).view(-1, 1, 1, 1)
        colour = palette[layout.colour[:, i].clamp(min=0)].view(count, 3, 1, 1, 1)
        video = torch.lerp(video, colour, cover[:, None])
    return video / 127.5 - 1


def draw_scenes(scenes: list[Scene], seed: int, device: str = "cpu") -> torch.Tensor:
    """[N, 3, FRAMES, HEIGHT, WIDTH] in [-1, 1]: clips of the scenes."""
    generator = torch.Generator(device).manual_seed(seed)
    return draw(place(torch.from_numpy(encode_scenes(scenes)).to(device), generator))


def to_bytes(video: torch.Tensor) -> numpy.ndarray:
    """[N, FRAMES, HEIGHT, WIDTH, 3] uint8 of clips in [-1, 1]."""
    return ((video.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1).cpu().numpy()
