"""Schedulers over whole loops beside diffusers: scheduler_parity.py SCHEDULER_DRIVER [--every]: every count of steps up to 50."""

import json
import pathlib
import sys
import tempfile

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

import parity
import tiny_wan

EVERY = list(range(1, 51)) if "--every" in sys.argv else [*range(1, 13), 20, 25, 37, 50]
SOME = [1, 2, 3, 4, 7, 20, 50]
UNIPC = {
    # name: (changes of Wan2.1's settings, step counts)
    "wan2.1": ({}, EVERY),
    "shift 1": (dict(flow_shift=1.0), SOME),
    "shift 5": (dict(flow_shift=5.0), SOME),
    "shift 12": (dict(flow_shift=12.0), SOME),
    "order 1": (dict(solver_order=1), SOME),
    "order 3": (dict(solver_order=3), EVERY),
    # bh1 to sigma 0 is infinity times zero in diffusers, so its last level is the smallest sigma.
    "bh1": (dict(solver_type="bh1", final_sigmas_type="sigma_min"), SOME),
    "bh1, order 3": (dict(solver_type="bh1", solver_order=3, final_sigmas_type="sigma_min"), SOME),
    "sigma_min": (dict(final_sigmas_type="sigma_min"), SOME),
    "full order to the end": (dict(final_sigmas_type="sigma_min", lower_order_final=False), SOME),
    "corrector off at first": (dict(disable_corrector=[0, 1, 2]), SOME),
    "corrector off": (dict(disable_corrector=list(range(51))), SOME),
    "terminal": (dict(shift_terminal=0.1), [2, 3, 20]),
    "train 500": (dict(num_train_timesteps=500), SOME),
}
EULER = {
    "euler": ({}, EVERY),
    "euler shift 3": (dict(shift=3.0), EVERY),
    "euler shift 0.5": (dict(shift=0.5), SOME),
    "euler terminal": (dict(shift=2.0, shift_terminal=0.1), [2, 3, 20]),
    "euler train 500": (dict(shift=3.0, num_train_timesteps=500), SOME),
}


def model(x, target, i, sigma):
    """The driver's flow towards a moving target."""
    return (x - (target + 0.3 * torch.sin(2 * x + i))) / sigma


def reference(scheduler, steps, noise, target):
    scheduler.set_timesteps(steps)
    x = noise
    for i, t in enumerate(scheduler.timesteps):
        x = scheduler.step(model(x, target, i, scheduler.sigmas[i]), t, x, return_dict=False)[0]
    return x


def cases():
    for name, (changes, counts) in UNIPC.items():
        for steps in counts:
            settings = {**tiny_wan.WAN21_SCHEDULER, **changes}
            yield f"{name}, {steps} steps", UniPCMultistepScheduler, settings, steps
    for name, (changes, counts) in EULER.items():
        for steps in counts:
            yield f"{name}, {steps} steps", FlowMatchEulerDiscreteScheduler, changes, steps


def main():
    driver = sys.argv[1]
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the tensors are tiny
    noise, target = torch.randn(1, 16, 3, 7, 9), torch.randn(1, 16, 3, 7, 9)
    report = parity.Report()
    with tempfile.TemporaryDirectory() as folder:
        listed = pathlib.Path(folder) / "cases.json"
        listed.write_text(json.dumps([{**settings, "name": name, "class": kind.__name__, "steps": steps}
                                      for name, kind, settings, steps in cases()]))
        ours = parity.run_driver([driver, listed], dict(noise=noise, target=target))

    for name, kind, settings, steps in cases():
        scheduler = kind(**settings)
        theirs = reference(scheduler, steps, noise, target)
        report.close(name, ours[f"{name}.sample"], theirs)
        same = torch.equal(ours[f"{name}.sigmas"], scheduler.sigmas.float())
        # float32 keeps 7 digits of the noise levels; a larger difference is a different schedule.
        near = torch.allclose(ours[f"{name}.sigmas"], scheduler.sigmas.float(), rtol=2e-7, atol=0)
        times = ours[f"{name}.timesteps"].allclose(scheduler.timesteps.float(), rtol=2e-7, atol=0)
        report.check(f"{name}: schedule", near and times, "equal" if same else "within rounding")

    # Faults that the bar must detect, as changes of the reference.
    def sees(mutation, base, kind, **changes):
        settings, _ = UNIPC[base]
        mutated = kind(**changes) if kind is FlowMatchEulerDiscreteScheduler else kind(
            **{**tiny_wan.WAN21_SCHEDULER, **settings, **changes})
        report.sees(mutation, ours[f"{base}, 20 steps.sample"], reference(mutated, 20, noise, target))

    sees("Euler for UniPC", "wan2.1", FlowMatchEulerDiscreteScheduler, shift=3.0)
    sees("order 3 for 2", "wan2.1", UniPCMultistepScheduler, solver_order=3)
    sees("order 1 for 2", "wan2.1", UniPCMultistepScheduler, solver_order=1)
    sees("shift 2 % off", "wan2.1", UniPCMultistepScheduler, flow_shift=3.06)
    sees("no corrector", "wan2.1", UniPCMultistepScheduler, disable_corrector=list(range(51)))
    sees("bh1 for bh2", "sigma_min", UniPCMultistepScheduler, solver_type="bh1")
    sees("sigma_min for zero", "wan2.1", UniPCMultistepScheduler, final_sigmas_type="sigma_min")
    report.finish()


if __name__ == "__main__":
    main()
