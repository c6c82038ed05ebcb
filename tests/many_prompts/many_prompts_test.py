"""--prompt-file and --offload of the Wan pipeline: the same videos as one prompt at a time, loaded once."""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parents[2] / "models" / "shapes"
PROMPTS = ["a red circle moves right on a blue background", "a green square", "a red circle moves right on a blue background"]
# How often each component is loaded for the three prompts, by --offload. A text encoder that is let go has read all prompts before.
LOADS = {
    "auto": {"text encoder": 1, "transformer": 1, "VAE": 1},
    "text": {"text encoder": 1, "transformer": 1, "VAE": 1},
    "none": {"text encoder": 1, "transformer": 1, "VAE": 1},
    "all": {"text encoder": 1, "transformer": 3, "VAE": 3},
}


def run(program, folder, *flags):
    words = [program, "generate", "--model-path", MODEL, "--height", 32, "--width", 48, "--num-frames", 5, "--num-inference-steps", 2,
             "--seed", 3, "--device", "cpu", "--threads", 2, "--attention-backend", "TORCH_SDPA", "--no-progress",
             "--output-path", folder / "video.y4m", "--perf-json", folder / "perf.json", *flags]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stderr


def main():
    program = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="fastvideo_many_") as name:
        folder = pathlib.Path(name)
        alone = []
        for prompt in PROMPTS[:2]:
            run(program, folder, "--prompt", prompt)
            alone.append((folder / "video.y4m").read_bytes())
        assert alone[0] != alone[1]

        (folder / "prompts.txt").write_text("# three\n" + "\n".join(PROMPTS))
        estimates = {}
        for offload, loads in LOADS.items():
            run(program, folder, "--prompt-file", folder / "prompts.txt", "--offload", offload)
            for number, expected in enumerate([alone[0], alone[1], alone[0]], 1):
                assert (folder / f"video_{number}.y4m").read_bytes() == expected, f"--offload {offload}: video {number}"
            perf = json.loads((folder / "perf.json").read_text())
            estimates[offload] = perf["memory"]["estimated"]
            counted = collections.Counter(stage["name"].removeprefix("load ") for video in perf["videos"]
                                          for stage in video["stages"] if stage["name"].startswith("load "))
            assert counted == loads, f"--offload {offload}: loaded {dict(counted)}, expected {loads}"

        # A text that is longer than what the model reads: said once, with its tokens, however often it is encoded.
        long = "a red circle " + "moves right and " * 300
        for offload in ("text", "none"):
            (folder / "prompts.txt").write_text("\n".join(["a green square", long, "blue", long]))
            said = re.findall(r'the prompt "(.*?)" has (\d+) tokens, and the model reads 512',
                              run(program, folder, "--prompt-file", folder / "prompts.txt", "--offload", offload))
            assert len(said) == 1 and long.startswith(said[0][0][:-3]) and int(said[0][1]) > 900, said

        # What stays is in the estimate.
        for stage in ("denoise", "decode"):
            values = [estimates[offload][stage] for offload in ("all", "text", "none")]
            assert values[0] < values[1] < values[2], f"{stage}: {values}"
    print("many prompts: the videos and loads of", ", ".join(LOADS))


if __name__ == "__main__":
    main()
