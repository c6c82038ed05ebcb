"""What `explain` says of caching beside what a run then does, on the embedded model: the steps that are left out, for
strategies that know them beforehand; a lower threshold leaves out fewer; and what the TOML file says is what runs."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
REQUEST = ["--model-path", SOURCE / "models" / "shapes", "--prompt", "a red circle moves right", "--device", "cpu",
           "--height", "32", "--width", "32", "--num-frames", "5", "--seed", "1"]


class Program:
    def __init__(self, program, folder):
        self.program, self.folder, self.count = program, folder, 0

    def run(self, command, flags):
        done = subprocess.run([self.program, command, *map(str, [*REQUEST, *flags])], capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            sys.exit(f"{command} {flags}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def explained(self, flags):
        """Steps that explain says are left out, for each branch; None if it says that the loop decides."""
        text = self.run("explain", flags).split("\ncaching\n")[1].split("\nrequest\n")[0]
        if "decided step by step, by " in text:
            return None
        left, computed = ([steps_of(found) for found in re.findall(rf"^ +{what} +(?:steps? )?(\S.*?)(?: \(| of )", text, re.M)]
                          for what in ("leaves out", "computes"))
        of = int(re.search(r"loop +(\d+) steps", text).group(1))
        for one, other in zip(left, computed, strict=True):
            assert sorted(one + other) == list(range(1, of + 1)), f"{text}\nnot every step once"
        return left

    def left_out(self, flags):
        """Steps that a run leaves out, for each branch, as its record has them."""
        self.count += 1
        record = self.folder / f"{self.count}.json"
        self.run("generate", ["--output-path", self.folder / "video.y4m", "--perf-json", record, "--no-progress",
                              *flags])
        caching = json.loads(record.read_text())["videos"][0]["caching"]
        if caching["strategy"] != "none":
            assert caching["reused"] == sum(map(len, caching["left_out"])), caching
            assert caching["computed"] + caching["reused"] == caching["passes"], caching
        return caching.get("left_out")


def steps_of(text):
    steps = []
    for part in text.split(", "):
        if part == "none":
            continue
        first, _, last = part.partition("-")
        steps += range(int(first), int(last or first) + 1)
    return steps


def teacache(threshold, *more):
    return ["--enable-teacache", "--teacache-threshold", threshold, *more]


def check_schedules(program):
    """Strategies that plan ahead: explain names each step, and the run does that."""
    cases = {
        "teacache": teacache(0.1, "--num-inference-steps", 12),
        "teacache, use_ret_steps": teacache(0.3, "--teacache-use-ret-steps=true", "--num-inference-steps", 9),
        "teacache without guidance": teacache(0.1, "--num-inference-steps", 7, "--guidance-scale", 1),
        "magcache": ["--cache-strategy", "magcache", "--magcache-threshold", 0.2, "--num-inference-steps", 10],
        "taylorseer": ["--cache-strategy", "taylorseer", "--taylorseer-interval", 3, "--num-inference-steps", 11],
        "guidance_gate": ["--cache-strategy", "guidance_gate", "--num-inference-steps", 6],
    }
    for name, flags in cases.items():
        said, done = program.explained(flags), program.left_out(flags)
        assert sum(map(len, done)) > 0, f"{name} leaves out nothing, so nothing is shown"
        assert said is not None, f"{name}: explain does not know the steps"
        if len(said) == 1:  # both branches alike
            said = said * len(done)
        assert said == done, f"{name}: explain says {said}, the run left out {done}"
        print(f"ok  {name}: {done}", flush=True)
    for name in ("first_block", "easycache"):
        assert program.explained(["--cache-strategy", name, "--num-inference-steps", 12]) is None, name


def check_thresholds(program):
    """A lower threshold leaves out fewer steps, at any number of steps."""
    for steps in (4, 13, 30):
        counts = [len(program.explained(teacache(t, "--num-inference-steps", steps))[0])
                  for t in (0, 0.02, 0.05, 0.1, 0.2, 0.5, 10)]
        assert counts == sorted(counts) and counts[0] == 0 and counts[-1] == steps - 2, f"{steps} steps: {counts}"
        print(f"ok  thresholds at {steps} steps: {counts}", flush=True)


def check_configuration(program):
    """The same file, rewritten: another strategy, another threshold, nothing rebuilt."""
    config = program.folder / "c.toml"
    flags = ["--config", config, "--num-inference-steps", 10]

    def configured(text):
        config.write_text(text)
        return program.left_out(flags)

    low = configured('[cache]\nstrategy = "teacache"\n[cache.teacache]\nthreshold = 0.05\n')
    high = configured('[cache]\nstrategy = "teacache"\n[cache.teacache]\nthreshold = 0.3\n')
    other = configured('[cache]\nstrategy = "taylorseer"\n[cache.taylorseer]\ninterval = 2\n')
    none = configured('[cache]\nstrategy = "none"\n')
    assert len(low[0]) < len(high[0]), (low, high)
    assert other not in (low, high), other
    assert none is None, none
    print(f"ok  configuration: {low[0]}, {high[0]}, {other[0]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastvideo_schedule_") as folder:
        program = Program(arguments.program.resolve(), pathlib.Path(folder))
        check_schedules(program)
        check_thresholds(program)
        check_configuration(program)


if __name__ == "__main__":
    main()
