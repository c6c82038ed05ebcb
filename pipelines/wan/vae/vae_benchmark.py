"""Decoding beside diffusers on the CPU: vae_benchmark.py WAN_VAE_DRIVER [--dtype bfloat16] [--rounds N].

Same weights, threads and machine; rounds alternate, medians are compared. The model has the size of the embedded one.
"""

import argparse
import os
import statistics
import tempfile
import time

import torch

import parity
import tiny_wan


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("driver")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--base-dim", type=int, default=16)
    parser.add_argument("--latents", type=int, nargs=3, default=[5, 12, 20], help="T h w")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    torch.set_num_threads(arguments.threads)

    vae = tiny_wan.vae(0, base_dim=arguments.base_dim, num_res_blocks=1)
    latents = torch.randn(1, 16, *arguments.latents)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        vae.save_pretrained(folder)
        vae.to(getattr(torch, arguments.dtype))
        for _ in range(arguments.rounds):
            out = parity.run_driver([arguments.driver, folder, arguments.dtype, "cpu", 3], {"latents": latents})
            ours.append(out["seconds"][1:].min().item())
            for measured in (False, True):
                start = time.perf_counter()
                vae.decode(latents.to(vae.dtype), return_dict=False)
                if measured:
                    theirs.append(time.perf_counter() - start)
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    print(f"{arguments.dtype}, {arguments.threads} threads: ours {ours:.3f} s, diffusers {theirs:.3f} s, "
          f"{theirs / ours:.1f} times as fast")


if __name__ == "__main__":
    main()
