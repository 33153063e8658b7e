#!/usr/bin/env python3
"""The speed of lull beside other neural vocoders on the CPU, in one run: times real time of whole utterances.

    compare_vocoders.py [--lull build/lull] [--threads 1,2] [--rounds N] [--seconds X] [--precisions f32,bf16]
                        [--json FILE]

Beside lull's uses (live, low latency, offline; with and without its postnet's part in them, as the model says): Vocos
(24 kHz, 13.5 million weights: Siuzdak 2023, arXiv:2306.00814) and HiFi-GAN V1 and V3 (22.05 kHz: Kong et al. 2020,
arXiv:2010.05646, appendix A), built here by the papers' sizes with random weights, because speed does not depend on
their values, exported from PyTorch and run by onnxruntime; Vocos's inverse STFT by NumPy, its time counted. Programs take
turns, medians count. Needs PyTorch and onnxruntime (both on PyPI).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# Both variables make OpenBLAS slower than it is: unset for everybody.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import numpy
import onnxruntime
import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent


# ---- Vocos ----

class ConvNeXt(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.scale = nn.Parameter(torch.full((width,), 1 / 8))

    def forward(self, x):
        y = self.norm(self.depthwise(x).transpose(1, 2))
        return x + (self.scale * self.narrow(F.gelu(self.widen(y)))).transpose(1, 2)


class Vocos(nn.Module):
    """Mel frames [1, 100, T] to the log magnitudes and phases of a spectrogram [1, 1026, T]."""
    rate, hop, bands, n_fft = 24000, 256, 100, 1024

    def __init__(self, width=512, inner=1536, layers=8):
        super().__init__()
        self.embed = nn.Conv1d(self.bands, width, 7, padding=3)
        self.first, self.last = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList([ConvNeXt(width, inner) for _ in range(layers)])
        self.head = nn.Linear(width, self.n_fft + 2)

    def forward(self, mel):
        x = self.first(self.embed(mel).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.last(x.transpose(1, 2))).transpose(1, 2)

    @classmethod
    def finish(cls, head):
        """The inverse STFT, which ONNX does not have."""
        magnitude, phase = numpy.split(head[0], 2)
        frames = numpy.fft.irfft(numpy.minimum(numpy.exp(magnitude), 100) * numpy.exp(1j * phase), axis=0)
        window = numpy.hanning(cls.n_fft + 1)[:-1].astype(numpy.float32)
        out = numpy.zeros(frames.shape[1] * cls.hop + cls.n_fft, numpy.float32)
        norm = numpy.zeros_like(out)
        for f in range(frames.shape[1]):
            out[f * cls.hop:f * cls.hop + cls.n_fft] += frames[:, f] * window
            norm[f * cls.hop:f * cls.hop + cls.n_fft] += window * window
        return out / numpy.maximum(norm, 1e-3)


# ---- HiFi-GAN ----

class Residual(nn.Module):
    """Convolutions of one kernel size: in pairs (the second without dilation), or alone."""

    def __init__(self, width, kernel, dilations, pairs):
        super().__init__()
        self.first = nn.ModuleList([nn.Conv1d(width, width, kernel, dilation=d, padding=d * (kernel // 2)) for d in dilations])
        self.second = nn.ModuleList([nn.Conv1d(width, width, kernel, padding=kernel // 2) for _ in dilations if pairs])

    def forward(self, x):
        for i, convolution in enumerate(self.first):
            y = convolution(F.leaky_relu(x, 0.1))
            x = x + (self.second[i](F.leaky_relu(y, 0.1)) if len(self.second) else y)
        return x


class HiFiGAN(nn.Module):
    rate, hop, bands = 22050, 256, 80

    def __init__(self, width, rates, kernels, blocks, pairs):
        super().__init__()
        self.before = nn.Conv1d(self.bands, width, 7, padding=3)
        self.up, self.blocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(rates, kernels):
            self.up.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2))
            width //= 2
            self.blocks.append(nn.ModuleList([Residual(width, k, d, pairs) for k, d in blocks]))
        self.after = nn.Conv1d(width, 1, 7, padding=3)

    def forward(self, mel):
        x = self.before(mel)
        for up, blocks in zip(self.up, self.blocks):
            x = up(F.leaky_relu(x, 0.1))
            x = sum(block(x) for block in blocks) / len(blocks)
        return torch.tanh(self.after(F.leaky_relu(x)))

    @classmethod
    def finish(cls, samples):
        return samples


PEERS = {
    "Vocos": lambda: Vocos(),
    "HiFi-GAN V1": lambda: HiFiGAN(512, (8, 8, 2, 2), (16, 16, 4, 4), [(k, (1, 3, 5)) for k in (3, 7, 11)], True),
    "HiFi-GAN V3": lambda: HiFiGAN(256, (8, 8, 4), (16, 16, 8), [(3, (1, 2)), (5, (2, 6)), (7, (3, 12))], False),
}


class Peer:
    def __init__(self, name, threads, seconds, folder):
        torch.manual_seed(1)
        network = PEERS[name]().eval()
        self.weights = sum(p.numel() for p in network.parameters())
        frames = int(seconds * network.rate / network.hop)
        self.mel = (torch.randn(1, network.bands, frames) - 4).numpy()
        self.seconds, self.finish = frames * network.hop / network.rate, network.finish
        path = os.path.join(folder, name.replace(" ", "-") + ".onnx")
        if not os.path.exists(path):
            torch.onnx.export(network, torch.from_numpy(self.mel), path, input_names=["mel"], output_names=["out"],
                              opset_version=13, dynamic_axes={"mel": {2: "frames"}})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self):
        start = time.perf_counter()
        self.finish(self.session.run(None, {"mel": self.mel})[0])
        return self.seconds / (time.perf_counter() - start)


class Lull:
    """`lull bench` of one use: its processor time for audio of its own making."""

    def __init__(self, program, use, precision, threads, seconds, folder):
        self.mel, self.out = os.path.join(folder, "mel.npy"), os.path.join(folder, "out.wav")
        frames = int(seconds * 22050 / 256)
        if not os.path.exists(self.mel):
            speech = numpy.load(ROOT / "audio_samples" / "weasels-22k.npy")
            numpy.save(self.mel, numpy.tile(speech, (1, frames // speech.shape[1] + 1))[:, :frames].astype(numpy.float32))
        self.command = [program, "synth", self.mel, "-o", self.out, "--force", "-q", "--" + use, "-p", precision, "-t", str(threads)]
        empty = os.path.join(folder, "short.npy")
        if not os.path.exists(empty):
            numpy.save(empty, numpy.load(self.mel)[:, :1])
        self.start = self.command[:2] + [empty] + self.command[3:]
        self.seconds = frames * 256 / 22050

    def time(self, command):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - start

    def run(self):
        """A run less one of a single frame: peers have been started, too."""
        return self.seconds / (self.time(self.command) - self.time(self.start))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lull", default=str(ROOT / "build" / "lull"))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--precisions", default="f32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    asked = parser.parse_args()
    if not os.access(asked.lull, os.X_OK):
        raise SystemExit(f"compare_vocoders.py: {asked.lull} is missing: build it, or say --lull")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for threads in map(int, asked.threads.split(",")):
            programs = {(f"{name} (onnxruntime)", "f32"): Peer(name, threads, asked.seconds, folder) for name in PEERS}
            for precision in asked.precisions.split(","):
                for use in ("low-latency", "live", "offline"):
                    programs[f"lull {use}", precision] = Lull(asked.lull, use, precision, threads, asked.seconds, folder)
            times = {key: [] for key in programs}
            for turn in range(asked.rounds + 1):
                for key, program in programs.items():
                    value = program.run()
                    if turn:  # the first one warms up
                        times[key].append(value)
                print(f"\r{threads} threads, round {turn} of {asked.rounds}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            for (name, precision), values in times.items():
                rows.append({"name": name, "precision": precision, "threads": threads,
                             "times_real_time": round(statistics.median(values), 2)})
    base = {row["threads"]: row["times_real_time"] for row in rows if row["name"].startswith("Vocos")}
    print("| | precision | threads | times real time | of Vocos |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        row["of_vocos"] = round(row["times_real_time"] / base[row["threads"]], 2)
        print(f"| {row['name']} | {row['precision']} | {row['threads']} | {row['times_real_time']:.1f} | {row['of_vocos']:.2f} |")
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
