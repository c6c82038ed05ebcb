"""PSNR and SSIM of `fastvideo bench` beside scikit-image, on the same frames."""
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

# float64 on both sides, sums of at most a few thousand numbers in another order.
TOLERANCE = 1e-10


def clips(rng, frames, height, width):
    """Pairs of clips that differ a little, much, by brightness alone, in one pixel, and not at all."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([(x * 3 + 5 * f) % 256 for f in range(frames)])[..., None] * [1.0, 0.5, 0.25]
    smooth = (ramp + 20 * np.sin(y / 3.0)[..., None]).clip(0, 255).astype(np.uint8)
    noise = rng.integers(0, 256, smooth.shape, dtype=np.uint8)
    pixel = smooth.copy()
    pixel[frames // 2, height // 2, width // 2, 1] ^= 0x80
    yield "a little", smooth, (smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)
    yield "noise", smooth, noise
    yield "brighter", smooth // 2, smooth // 2 + 9
    yield "one pixel", smooth, pixel
    yield "black and white", np.zeros_like(smooth), np.full_like(smooth, 255)
    yield "the same", noise, noise


def measured(driver, folder, a, b):
    a.tofile(folder / "a")
    b.tofile(folder / "b")
    shape = [str(n) for n in a.shape[:3]]
    words = subprocess.run([driver, folder / "a", folder / "b", *shape], check=True, capture_output=True, text=True)
    return [float(word) for word in words.stdout.split()]


def expected(a, b):
    with np.errstate(divide="ignore"):
        psnr = peak_signal_noise_ratio(a, b, data_range=255)
    similarity = [
        structural_similarity(p, q, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
                              channel_axis=-1)
        for p, q in zip(a, b)
    ]
    return [mean_squared_error(a, b), psnr, float(np.mean(similarity))]


def main(driver):
    rng = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shape in [(1, 11, 11), (3, 24, 17), (2, 37, 64)]:
            for what, a, b in clips(rng, *shape):
                for ours, theirs in zip(measured(driver, folder, a, b), expected(a, b)):
                    same = ours == theirs or math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
                    assert same, f"{what} {shape}: {ours} instead of {theirs}"
        # A side below the window: scikit-image refuses such frames, so there is no figure (the driver prints -2).
        small = rng.integers(0, 256, (1, 10, 32, 3), dtype=np.uint8)
        assert measured(driver, folder, small, small)[2] == -2
        # The definition matters: another window gives another figure.
        _, a, b = next(clips(rng, 1, 24, 24))
        plain = structural_similarity(a[0], b[0], data_range=255, channel_axis=-1)
        assert abs(plain - measured(driver, folder, a, b)[2]) > 1e-4
    print("PSNR and SSIM agree with scikit-image")


if __name__ == "__main__":
    main(sys.argv[1])
