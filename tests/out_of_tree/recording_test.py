"""An out-of-tree backend sees every attention of a run, text encoder and VAE included.

Oracle: diffusers runs the same request on the same model, and hooks on its attention layers count. Batching is an
implementation's choice, so rows of a batch are counted and not calls.
"""

import collections
import json
import pathlib

import torch
from diffusers import WanPipeline

import out_of_tree

FRAMES, STEPS = 9, 3
REQUEST = dict(prompt="two birds fly over the sea", negative_prompt="blurry, static", height=32, width=48,
               num_frames=FRAMES, num_inference_steps=STEPS, guidance_scale=5.0, seed=1)
HERE = pathlib.Path(__file__).parent


def rows_in_diffusers(model, guidance):
    """Rows of attention by role, and by role and layer, of a run of diffusers."""
    pipeline = WanPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    rows = collections.Counter()

    def count(role, layer):
        def hook(module, arguments, keywords):
            hidden = arguments[0] if arguments else keywords["hidden_states"]
            rows[role, layer] += hidden.shape[0]
        return hook

    def watch(module, role, layer):
        module.register_forward_pre_hook(count(role, layer), with_kwargs=True)

    for layer, block in enumerate(pipeline.text_encoder.encoder.block):
        watch(block.layer[0].SelfAttention, "text.self", layer)
    for layer, block in enumerate(pipeline.transformer.blocks):
        watch(block.attn1, "dit.self", layer)
        watch(block.attn2, "dit.cross", layer)
    for layer, attention in enumerate(pipeline.vae.decoder.mid_block.attentions):
        watch(attention, "vae.mid", layer)
    pipeline(prompt=REQUEST["prompt"], negative_prompt=REQUEST["negative_prompt"], height=REQUEST["height"],
             width=REQUEST["width"], num_frames=FRAMES, num_inference_steps=STEPS, guidance_scale=guidance,
             generator=torch.Generator().manual_seed(1), output_type="np")
    return rows


def read_record(path):
    rows, steps, branches = collections.Counter(), collections.defaultdict(set), collections.defaultdict(set)
    calls = collections.Counter()
    for line in path.read_text().splitlines():
        role, layer, step, branch, batch, _, _ = line.split()
        rows[role, int(layer)] += int(batch)
        calls[role] += 1
        steps[role].add(int(step))
        branches[role].update(map(int, branch.split(",")))
    return rows, calls, steps, branches


def check(shop, model, plugin, guidance):
    record = shop.folder / f"record_{guidance}.txt"
    summary = shop.generate(shop.folder / "video.y4m", model, {**REQUEST, "guidance_scale": guidance}, [plugin.parent],
                            [f"attention.RECORDING_ATTN.file={record}", "attention.self_test=false"],
                            FASTVIDEO_ATTENTION_BACKEND="recording_attn")
    rows, calls, steps, branches = read_record(record)
    expected = rows_in_diffusers(model, guidance)
    for key in sorted(set(rows) | set(expected)):
        print(f"guidance {guidance}: {key[0]} layer {key[1]}: {rows[key]} rows, {expected[key]} in diffusers")
    assert rows == expected

    # In closed form, so that diffusers' hooks are checked too.
    configs = {part: json.loads((model / part / "config.json").read_text()) for part in ("text_encoder", "transformer")}
    branch_count = 2 if guidance > 1 else 1
    latent_frames = (FRAMES - 1) // 4 + 1
    totals = collections.Counter()
    for (role, _), count in rows.items():
        totals[role] += count
    assert totals == {"text.self": configs["text_encoder"]["num_layers"] * branch_count,
                      "dit.self": configs["transformer"]["num_layers"] * STEPS * branch_count,
                      "dit.cross": configs["transformer"]["num_layers"] * STEPS * branch_count,
                      "vae.mid": latent_frames}, totals

    # A call knows where in the loop it is, and the program counts as the backend does.
    for role in ("dit.self", "dit.cross"):
        assert steps[role] == set(range(STEPS)), steps
        assert branches[role] == set(range(branch_count)), branches
    assert steps["text.self"] == steps["vae.mid"] == {-1}, steps
    for role in calls:
        assert out_of_tree.runs_on(summary, role) == ("RECORDING_ATTN/cpu", calls[role]), summary


def main():
    shop = out_of_tree.Workshop(__doc__)
    plugin = shop.build_plugin(HERE / "probe")
    model = shop.tiny_model()
    for guidance in (5.0, 1.0):
        check(shop, model, plugin, guidance)


if __name__ == "__main__":
    main()
