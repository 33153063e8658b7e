#!/usr/bin/env python3
"""bottleneck_pairs.py CORPUS OUT [--model FILE] [--minutes-each M] [--steps N] [--seed S]

Pairs for `lull train --pairs` without an acoustic model: mels smoothed over as an acoustic model's are, by a small
autoencoder that is trained on the corpus's own mels. Acoustic models keep the harmonics below 1 kHz or so and lose
the fine structure above, and what changes quickly; so does a convolutional autoencoder whose bottleneck has a few
numbers for two frames. One training gives all strengths: the bottleneck is cut to a width that is drawn for every
crop (nested dropout: Rippel et al. 2014, arXiv:1402.0915), with a little noise.

What comes out is laid over the exact mel, exact + a (smoothed - exact), a from 0.3 to 1. That matters: an autoencoder
trained by the mean absolute error already gives the best guess there is in that measure, so a postnet trained by the
same measure has nothing to mend where a = 1, and learns to leave blurred mels alone.

CORPUS   folders of recordings, one for each voice (as tools/corpus.sh leaves them); links are followed
OUT      mel/ (exact), smoothed/ and blurred/ (.npy, [bands, T]); again/, links to the recordings, since a recording
         has one mel in a list of pairs; pairs.txt, where every recording has its smoothed mel and one blurred by
         arithmetic (the kernels, noise and offset of `lull train --degrade`); autoencoder.pt. About 0.4 GB for 1.5 h.

    python3 tools/bottleneck_pairs.py corpus/train bottleneck
    lull train --pairs bottleneck/pairs.txt --part postnet --init MODEL -o run --rate 1e-3 --degrade 0.667 --max-steps 2500

--degrade 0.667 leaves a third of the crops exact. Needs python3-torch and python3-numpy. The model's convention has to
be of natural logarithms, as the shipped ones' is. One thread; a few minutes. LULL names the program (default:
build/lull)."""
import argparse
import glob
import os
import random
import subprocess

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LULL = os.environ.get("LULL", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "lull"))
CHANNELS, BATCH, FRAMES, RATE, NOISE = 96, 16, 64, 2e-3, 0.1
TRAINED_WIDTHS, WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24), (4, 6, 8, 12, 16, 24)  # numbers for two frames


class Block(nn.Module):
    """Adds to [B, CHANNELS, T] what five frames say."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Conv1d(CHANNELS, CHANNELS, 5, padding=2), nn.Conv1d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        return x + self.narrow(functional.leaky_relu(self.wide(functional.leaky_relu(x, 0.1)), 0.1))


class Autoencoder(nn.Module):
    """[B, bands, T], standardised, T even, to the same by way of `width` numbers for two frames."""

    def __init__(self, bands):
        super().__init__()
        most = max(TRAINED_WIDTHS)
        self.encoder = nn.Sequential(nn.Conv1d(bands, CHANNELS, 5, padding=2), Block(),
                                     nn.Conv1d(CHANNELS, CHANNELS, 4, 2, 1), Block(), nn.LeakyReLU(0.1),
                                     nn.Conv1d(CHANNELS, most, 1), nn.Tanh())
        self.decoder = nn.Sequential(nn.Conv1d(most, CHANNELS, 3, padding=1), Block(),
                                     nn.ConvTranspose1d(CHANNELS, CHANNELS, 4, 2, 1), Block(), Block(),
                                     nn.LeakyReLU(0.1), nn.Conv1d(CHANNELS, bands, 5, padding=2))

    def forward(self, x, widths):
        """widths: [B], how many numbers each keeps."""
        z = self.encoder(x)
        z = z + NOISE * torch.randn_like(z)
        kept = torch.arange(z.shape[1])[None, :, None] < widths[:, None, None]
        return self.decoder(z * kept)


def train(mels, steps, rng):
    """mels: list of [bands, T], standardised."""
    network = Autoencoder(mels[0].shape[0])
    optimizer = torch.optim.AdamW(network.parameters(), RATE, (0.9, 0.99), weight_decay=0.0)
    mels = [mel for mel in mels if mel.shape[1] >= FRAMES]
    if not mels:
        raise SystemExit("bottleneck_pairs.py: no recording has the %d frames of a crop" % FRAMES)
    share = np.array([mel.shape[1] for mel in mels], float)
    share /= share.sum()
    total = 0.0
    for step in range(1, steps + 1):
        rate = RATE * min(1.0, step / 50) * (0.02 + 0.49 * (1 + np.cos(np.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        crops = []
        for i in rng.choice(len(mels), BATCH, p=share):
            first = rng.randint(mels[i].shape[1] - FRAMES + 1)
            crops.append(mels[i][:, first:first + FRAMES])
        exact = torch.from_numpy(np.stack(crops))
        loss = (network(exact, torch.from_numpy(rng.choice(TRAINED_WIDTHS, BATCH))) - exact).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        total += float(loss.detach())
        if step % 200 == 0:
            print("step %d: loss %.3f" % (step, total / 200), flush=True)
            total = 0.0
    return network.eval()


def smooth(network, mel, width):
    """mel [bands, T], standardised, through the bottleneck."""
    frames = mel.shape[1]
    even = np.pad(mel, ((0, 0), (0, frames % 2)), "edge")
    with torch.no_grad():
        return network(torch.from_numpy(even)[None], torch.tensor([width]))[0, :, :frames].numpy()


def blur(mel, rng):
    """mel [bands, T], natural logarithms, degraded as src/train/degrade.c does it."""
    uniform = rng.random_sample(8)
    axes = (1,) if uniform[1] < 0.25 else (0,) if uniform[1] < 0.5 else (1, 0)
    for turn in range(1 if uniform[0] < 0.5 else 2):
        for axis in axes:
            k = 0.34 * uniform[(2 if axis == 1 else 4) + turn]
            wider = np.pad(mel, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], "edge")
            last = mel.shape[axis]
            around = wider.take(range(last), axis) + wider.take(range(2, last + 2), axis)
            mel = (1 - 2 * k) * mel + k * around
    return mel + 0.15 * uniform[6] * rng.standard_normal(mel.shape) + 0.3 * (2 * uniform[7] - 1)


def choose(corpus, minutes):
    """Recordings of every folder of the corpus, as many as make so many minutes by what their files weigh (16-bit
    samples at 22.05 kHz; compressed ones count for less and more of them are taken)."""
    chosen = []
    for voice in sorted(glob.glob(corpus + "/*/")):
        paths = sorted(p for p in glob.glob(voice + "**/*", recursive=True)
                       if p.lower().endswith((".wav", ".flac", ".ogg", ".mp3")))
        random.shuffle(paths)
        left = minutes * 60 * 44100
        for path in paths:
            if left <= 0:
                break
            left -= os.path.getsize(path)
            chosen.append(path)
    if not chosen:
        raise SystemExit("bottleneck_pairs.py: %s: has no folders with recordings (.wav, .flac, .ogg, .mp3)" % corpus)
    return chosen


def analyse(corpus, path, out, model):
    """Links the recording twice under a name of its own, writes its mel, and returns both names."""
    name = os.path.relpath(path, corpus).replace(os.sep, "--")
    for folder in "recordings", "again":
        link = os.path.join(out, folder, name)
        if not os.path.lexists(link):
            os.symlink(os.path.realpath(path), link)
    mel = os.path.join(out, "mel", name + ".npy")
    said = subprocess.run([LULL, "mel", path, "-o", mel, "--bare", "--force", "-q", *model], stderr=subprocess.PIPE)
    if said.returncode:
        print("left out %s" % said.stderr.decode().strip())
    return (name, mel) if said.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("out")
    parser.add_argument("--model", help="whose convention the mels have (default: the shipped one)")
    parser.add_argument("--minutes-each", type=float, default=5.0, help="of each voice (default 5)")
    parser.add_argument("--steps", type=int, default=4000, help="of the autoencoder's training (default 4000)")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    random.seed(a.seed)
    rng = np.random.RandomState(a.seed)
    for folder in "mel", "smoothed", "blurred", "recordings", "again":
        os.makedirs(os.path.join(a.out, folder), exist_ok=True)
    model = ["-m", a.model] if a.model else []
    found = [analyse(a.corpus, path, a.out, model) for path in choose(a.corpus, a.minutes_each)]
    found = [pair for pair in found if pair]
    exact = [np.load(mel) for _, mel in found]
    low = min(mel.min() for mel in exact)
    mean, deviation = -5.0, 3.0  # of natural logarithms, as the network's conditioner takes them
    print("%d recordings, %d frames" % (len(exact), sum(mel.shape[1] for mel in exact)), flush=True)
    standard = [((mel - mean) / deviation).astype("f4") for mel in exact]
    network = train(standard, a.steps, rng)
    torch.save(network.state_dict(), os.path.join(a.out, "autoencoder.pt"))
    with open(os.path.join(a.out, "pairs.txt"), "w") as pairs:
        for i, (name, _) in enumerate(found):
            smoothed = smooth(network, standard[i], WIDTHS[i % len(WIDTHS)]) * deviation + mean
            smoothed = exact[i] + rng.uniform(0.3, 1.0) * (smoothed - exact[i])
            for folder, recordings, mel in (("smoothed", "recordings", smoothed),
                                            ("blurred", "again", blur(exact[i], rng))):
                np.save(os.path.join(a.out, folder, name + ".npy"), np.maximum(mel, low).astype("f4"))
                pairs.write("%s/%s.npy|%s/%s\n" % (folder, name, recordings, name))
    print("%s: %d lines" % (os.path.join(a.out, "pairs.txt"), 2 * len(found)))


if __name__ == "__main__":
    main()
