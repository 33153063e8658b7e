#!/usr/bin/env python3
"""Training speed of lull and PyTorch, side by side: the same network, batch, cores; interleaved rounds, medians.

    compare_training.py [--lull build/lull] [--preset lull|diffwave] [--threads N] [--rounds N]

Needs python3-torch. Forward, backward and nothing else on both sides (no optimizer, no data), squared loss.
"""
import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time

# Both variables make OpenBLAS slower than it is: unset for everybody.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import torch
from torch import nn
from torch.nn import functional as F

PRESETS = {
    "lull": dict(patch=16, channels=96, layers=12, cycle=[1, 2, 4, 8, 16, 32], look_ahead=[1, 1, 1, 0, 0, 0],
                 conditioner=(128, 3), hop=256, bands=80, rate=22050),
    "diffwave": dict(patch=1, channels=64, layers=30, cycle=[2 ** i for i in range(10)], look_ahead=None,
                     conditioner=None, hop=256, bands=80, rate=22050),
}


class Layer(nn.Module):
    """Kong et al. 2021, figure 2."""

    def __init__(self, p, index):
        super().__init__()
        c = p["channels"]
        self.dilation = p["cycle"][index % len(p["cycle"])]
        ahead = p["look_ahead"]
        self.ahead = self.dilation if ahead is None else ahead[index % len(ahead)]
        width = p["conditioner"][0] if p["conditioner"] else p["bands"]
        self.dilated_conv = nn.Conv1d(c, 2 * c, 3, dilation=self.dilation)
        self.diffusion_projection = nn.Linear(512, c)
        self.conditioner_projection = nn.Conv1d(width, 2 * c, 1)
        self.output_projection = nn.Conv1d(c, 2 * c, 1)

    def forward(self, x, step, condition, interpolate):
        y = x + self.diffusion_projection(step).unsqueeze(-1)
        y = F.pad(y, (2 * self.dilation - self.ahead, self.ahead))
        y = self.dilated_conv(y) + interpolate(self.conditioner_projection(condition))
        gate, values = torch.chunk(y, 2, dim=1)
        y = self.output_projection(torch.sigmoid(gate) * torch.tanh(values))
        residual, skip = torch.chunk(y, 2, dim=1)
        return (x + residual) / math.sqrt(2.0), skip


class Denoiser(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p
        c = p["channels"]
        self.input_projection = nn.Conv1d(p["patch"], c, 1)
        self.projection1 = nn.Linear(128, 512)
        self.projection2 = nn.Linear(512, 512)
        if p["conditioner"]:
            width, count = p["conditioner"]
            self.conditioner = nn.ModuleList(
                nn.Conv1d(p["bands"] if i == 0 else width, width, 3) for i in range(count))
        else:
            self.upsampler = nn.ModuleList(
                nn.ConvTranspose2d(1, 1, (3, 32), stride=(1, 16), padding=(1, 8)) for _ in range(2))
        self.layers = nn.ModuleList(Layer(p, i) for i in range(p["layers"]))
        self.skip_projection = nn.Conv1d(c, c, 1)
        self.output_projection = nn.Conv1d(c, p["patch"], 1)

    def forward(self, x, t, mel):
        p = self.p
        x = self.input_projection(x)
        angle = t[:, None] * torch.logspace(0, 2, 64)[None]
        step = F.silu(self.projection1(torch.cat([torch.sin(angle), torch.cos(angle)], 1)))
        step = F.silu(self.projection2(step))
        if p["conditioner"]:
            condition = mel
            for convolution in self.conditioner:
                condition = F.silu(convolution(condition))
            rows = x.shape[-1]
            position = (torch.arange(rows) + 0.5) * p["patch"] / p["hop"] + 0.5
            low = position.floor().long()
            weight = position - low

            def interpolate(c):
                return torch.lerp(c[..., low], c[..., low + 1], weight.to(c.dtype))
        else:
            x = F.relu(x)
            condition = mel.unsqueeze(1)
            for stage in self.upsampler:
                condition = F.leaky_relu(stage(condition), 0.4)
            condition = condition.squeeze(1)

            def interpolate(c):
                return c
        skip = 0
        for layer in self.layers:
            x, s = layer(x, step, condition, interpolate)
            skip = skip + s
        x = F.relu(self.skip_projection(skip / math.sqrt(len(self.layers))))
        return self.output_projection(x)


def torch_round(p, batch, frames, threads, bf16, seconds):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = Denoiser(p)
    rows = frames * p["hop"] // p["patch"]
    margin = 1 + 2 * p["conditioner"][1] if p["conditioner"] else 0
    mel_frames = frames + 1 + margin if p["conditioner"] else frames
    x, mel, t = torch.randn(batch, p["patch"], rows), torch.randn(batch, p["bands"], mel_frames), torch.rand(batch)
    context = torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else contextlib.nullcontext()
    steps, started = -1, 0.0
    while steps < 1 or time.monotonic() - started < seconds:
        if steps == 0:
            started = time.monotonic()
        model.zero_grad(set_to_none=True)
        with context:
            u = model(x, t, mel)
            loss = 0.5 * (u.float() ** 2).sum()
        loss.backward()
        steps += 1
    return batch * frames * p["hop"] / p["rate"] * steps / (time.monotonic() - started)


def lull_round(program, p, name, batch, frames, threads, bf16, seconds):
    command = [program, "bench", "train", "--json", "--preset", name, "--batch", str(batch), "--crop-frames",
               str(frames), "--threads", str(threads), "--precision", "bf16" if bf16 else "f32", "--seconds",
               str(seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["audio_seconds_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lull", default="build/lull")
    parser.add_argument("--preset", choices=PRESETS, default="lull")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--crop-frames", type=int)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    arguments = parser.parse_args()
    p = PRESETS[arguments.preset]
    batch = arguments.batch or (8 if arguments.preset == "lull" else 2)
    frames = arguments.crop_frames or (64 if arguments.preset == "lull" else 32)
    common = (batch, frames, arguments.threads)
    runs = {}
    for _ in range(arguments.rounds):
        for bf16 in (False, True):
            runs.setdefault(("PyTorch", bf16), []).append(torch_round(p, *common, bf16, arguments.seconds))
            runs.setdefault(("lull", bf16), []).append(
                lull_round(arguments.lull, p, arguments.preset, *common, bf16, arguments.seconds))
    best = max(statistics.median(v) for (who, _), v in runs.items() if who == "PyTorch")
    print(f"{arguments.preset}: batch {batch} x {frames} frames, {arguments.threads} thread(s), PyTorch "
          f"{torch.__version__}; audio seconds a second, median of {arguments.rounds} rounds (least - most)")
    for bf16 in (False, True):
        reference = statistics.median(runs[("PyTorch", bf16)])
        for who in ("PyTorch", "lull"):
            values = runs[(who, bf16)]
            middle = statistics.median(values)
            print(f"  {who:8} {'bfloat16' if bf16 else 'float32':9}{middle:8.2f}  ({min(values):.2f} - "
                  f"{max(values):.2f})  {middle / reference:5.2f} x the same precision, {middle / best:5.2f} x "
                  f"PyTorch's faster")
    return 0


if __name__ == "__main__":
    sys.exit(main())
