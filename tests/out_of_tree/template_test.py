"""The SDK's template plugin, built out of tree against the installed SDK, makes a video in a program built before."""

import numpy

import out_of_tree

REQUEST = dict(prompt="a red circle moves to the right", height=32, width=48, num_frames=9, num_inference_steps=3,
               seed=7)


def main():
    shop = out_of_tree.Workshop(__doc__)
    template = shop.prefix / "share" / "fastvideo" / "template"  # as installed
    plugin = shop.build_plugin(template)
    model = shop.tiny_model()

    video = shop.folder / "naive.mp4"
    summary = shop.generate(video, model, REQUEST, [plugin.parent], FASTVIDEO_ATTENTION_BACKEND="NAIVE_ATTN")
    print(summary)
    frames = out_of_tree.read_frames(video)
    assert frames.shape == (9, 32, 48, 3), frames.shape
    for role in ("dit.self", "dit.cross"):
        backend, calls = out_of_tree.runs_on(summary, role)
        assert backend == "NAIVE_ATTN/cpu" and calls > 0, summary

    # Id and version are typed in plugin.toml alone: another version there reaches the code with the next build. The host
    # refuses a plugin whose code says another one than its manifest.
    manifest = shop.folder / "template_source" / "plugin.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.0.1"'))
    out_of_tree.call([shop.cmake, "--build", shop.folder / "template_build"], env=out_of_tree.clean_environment())
    assert 'version = "1.0.1"' in (plugin / "plugin.toml").read_text()

    # The same frames as with TORCH_SDPA, but for the order of summation; both from PNG, which loses nothing.
    for name, output in (("NAIVE_ATTN", "naive/"), ("TORCH_SDPA", "sdpa/")):
        shop.generate(f"{shop.folder}/{output}", model, REQUEST, [plugin.parent], FASTVIDEO_ATTENTION_BACKEND=name)
    naive, sdpa = (out_of_tree.read_png_frames(shop.folder / folder) for folder in ("naive", "sdpa"))
    equal, largest = out_of_tree.compare_frames(naive, sdpa)
    print(f"NAIVE_ATTN beside TORCH_SDPA: {equal:.3%} of the values equal, largest difference {largest}")
    assert equal >= 0.999 and largest <= 1  # the bar of the whole pipeline beside diffusers
    assert numpy.ptp(naive) > 20, "the frames show nothing"


if __name__ == "__main__":
    main()
