"""The SDK's template plugin, built out of tree against the installed SDK, makes a video in a program built before."""

import re

import numpy

import out_of_tree

REQUEST = dict(prompt="a red circle moves to the right", height=32, width=48, num_frames=9, num_inference_steps=3,
               seed=7)


def kit_test(shop, template):
    """Runs the test that the kit's page shows; returns what it prints."""
    page = (shop.prefix / "share/fastvideo/sdk/testing/README.md").read_text()
    blocks = dict(re.findall(r"```(cmake|cpp)\n(.*?)```", page, re.DOTALL))
    folder = shop.folder / "kit"
    out_of_tree.call(["cp", "-r", template, folder])
    with open(folder / "CMakeLists.txt", "a") as project:
        project.write(blocks["cmake"])
    (folder / "naive_attention_test.cpp").write_text(blocks["cpp"])
    environment = out_of_tree.clean_environment()
    out_of_tree.call([shop.cmake, "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={shop.prefix}",
                      f"-DCMAKE_CXX_COMPILER={shop.compiler}"], env=environment)
    out_of_tree.call([shop.cmake, "--build", folder / "build", "--target", "naive_attention_test"], env=environment)
    return out_of_tree.call([folder / "build/naive_attention_test"])


def main():
    shop = out_of_tree.Workshop(__doc__)
    template = shop.prefix / "share" / "fastvideo" / "template"  # as installed
    plugin = shop.build_plugin(template)
    said = kit_test(shop, template)
    assert said == "equal to the formula\n", said
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
