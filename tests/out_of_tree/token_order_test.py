"""An out-of-tree backend that asks for a random bijection as token order gives the raster result within rounding."""

import pathlib

import numpy

import out_of_tree

REQUEST = dict(prompt="a green square moves up", height=48, width=64, num_frames=13, num_inference_steps=3, seed=3)
HERE = pathlib.Path(__file__).parent


def read_trace(path):
    """The raster index and the query at each position of the first call."""
    table = numpy.loadtxt(path)
    return table[:, 0].astype(int), table[:, 1:]


def run(shop, model, plugin, seed):
    name = f"seed_{seed}"
    trace = shop.folder / f"{name}.txt"
    summary = shop.generate(f"{shop.folder}/{name}/", model, REQUEST, [plugin.parent],
                            [f"attention.SHUFFLED_ATTN.seed={seed}", f"attention.SHUFFLED_ATTN.trace={trace}",
                             "attention.backend=SHUFFLED_ATTN", "attention.self_test=false"])
    assert out_of_tree.runs_on(summary, "dit.self")[0] == "SHUFFLED_ATTN/cpu", summary
    return out_of_tree.read_png_frames(shop.folder / name), *read_trace(trace)


def main():
    shop = out_of_tree.Workshop(__doc__)
    plugin = shop.build_plugin(HERE / "probe")
    model = shop.tiny_model()
    raster, raster_order, raster_queries = run(shop, model, plugin, 0)
    assert (raster_order == numpy.arange(len(raster_order))).all()
    scale = numpy.abs(raster_queries).max()
    for seed in (1, 2):
        frames, order, queries = run(shop, model, plugin, seed)
        # The backend really saw the tokens in its order, rotary embedding and all.
        assert sorted(order) == sorted(raster_order) and (order != raster_order).mean() > 0.5
        moved = numpy.abs(queries - raster_queries[order]).max() / scale
        unmoved = numpy.abs(queries - raster_queries).max() / scale
        equal, largest = out_of_tree.compare_frames(frames, raster)
        print(f"order {seed}: queries differ by {moved:.1e} of the largest ({unmoved:.1e} if they were in raster order); "
              f"{equal:.3%} of the frames' values equal, largest difference {largest}")
        assert moved < 1e-5 and unmoved > 1e-2  # float32 keeps 6e-8; a few sums lie before the first attention
        assert equal >= 0.999 and largest <= 1  # rounding to 8 bits, as beside diffusers


if __name__ == "__main__":
    main()
