#!/usr/bin/env python3
"""any_mel_scores.py RECORDINGS [--model FILE] [--lull PROGRAM] [--library liblull.so] [--conventions A,B] [--uses live,offline]
                     [--ways both,network,source,noise] [--mos] [--more 'SYNTH OPTIONS'] [--json FILE]

Copies of RECORDINGS (a folder of WAV files, of voices that no model has heard) in every mel convention that lull knows by
name, live and offline: the table of docs/any-mel.md. Four ways, all with the refinement that the model has for the use:

    both       the model as it is shipped: postnet, network, pitch source
    network    the same from noise alone (--source noise)
    source     no network, the pitch source of the model's pitch network
    noise      no network, noise

Prints means over the recordings: wide-band PESQ, HF modulation over that of the recordings (`lull eval`), with --mos
DistillMOS, and for `both` the latency; then the whole as Markdown tables. --json keeps the figures, file by file, and
takes from there what it has already. pip install numpy scipy soundfile pesq; for --mos torch torchaudio distillmos."""
import argparse
import glob
import json
import math
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

for name in "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS":
    os.environ.setdefault(name, "1")

import numpy
import pesq
import scipy.signal
import soundfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
USES = {"live": "live", "low-latency": "low_latency", "offline": "offline"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings")
    parser.add_argument("--model", default=str(ROOT / "models" / "lull-speech-22k.safetensors"))
    parser.add_argument("--lull", default=os.environ.get("LULL", str(ROOT / "build" / "lull")))
    parser.add_argument("--library", default=str(ROOT / "build" / "src" / "vocoder" / "liblull.so"))
    parser.add_argument("--conventions")
    parser.add_argument("--uses", default="live,offline")
    parser.add_argument("--ways", default="both,network,source,noise")
    parser.add_argument("--mos", action="store_true")
    parser.add_argument("--more", default="")
    parser.add_argument("--json")
    return parser.parse_args()


class Latency:
    """Milliseconds of a use in a convention."""

    def __init__(self, library, model):
        os.environ.update(LULL_LIBRARY=library, PYTHONPATH=str(ROOT / "src" / "python"))
        self.model = model

    def __call__(self, convention, use):
        program = "import lull_vocoder as l, sys; print(l.Vocoder(sys.argv[1], convention=sys.argv[2], use=sys.argv[3]).latency)"
        done = subprocess.run([sys.executable, "-c", program, self.model, convention, use], capture_output=True, text=True)
        return 1000 * float(done.stdout) if done.returncode == 0 else math.nan


def at_16k(path):
    sound, rate = soundfile.read(path, dtype="float32")
    sound = sound if sound.ndim == 1 else sound.mean(1)
    common = math.gcd(rate, 16000)
    return scipy.signal.resample_poly(sound, 16000 // common, rate // common).astype("f4")


def pesq_of(reference, output):
    x, y = at_16k(reference), at_16k(output)
    n, top = min(len(x), len(y)), max(float(numpy.abs(x).max()), 1e-9)
    try:
        return pesq.pesq(16000, x[:n] / top, y[:n] / top, "wb")
    except pesq.PesqError:
        return math.nan


def judge():
    import distillmos
    import torch

    torch.set_num_threads(1)
    network = distillmos.ConvTransformerSQAModel().eval()

    def score(path):
        with torch.no_grad():
            return float(network(torch.from_numpy(at_16k(path))[None]))

    return score


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit("%s\n%s" % (" ".join(command), done.stderr))
    return done.stdout


def way_options(way, use, model, settings, ratio):
    """ratio: of the convention's hop to the model's, in seconds: the settings follow it (src/vocoder/options.c)."""
    if way in ("both", "network"):
        return ["-m", model, "--" + use] + (["--source", "noise"] if way == "network" else [])
    refine, window = math.ceil(settings["refine"] * ratio - 1e-9), round(settings["refine_window"] / ratio)
    low = math.ceil(settings["refine_low"] * ratio - 1e-9)
    options = ["-m", "none", "--" + use, "-r", str(refine), "--refine-low", str(low), "--refine-window", str(max(window, 1)),
               "--refine-momentum", str(settings["refine_momentum"])]
    return options + (["--source", "pitch", "--pitch", model] if way == "source" else ["--source", "noise"])


def hop_seconds(a, name):
    with tempfile.TemporaryDirectory() as folder:
        mel = os.path.join(folder, "mel.npy")
        run(a.lull, "mel", sorted(glob.glob(a.recordings + "/*.wav"))[0], "-c", name, "-o", mel, "--force", "-q")
        with open(mel + ".json") as file:
            members = json.load(file)
    return members["hop"] / members["sample_rate"]


def copies(a, folder, convention, use, way, info):
    """Writes a copy of every recording into folder, one seed for each."""
    ratio = hop_seconds(a, convention) * info["sample_rate"] / info["hop"]
    options = way_options(way, use, a.model, info[USES[use]], ratio) + shlex.split(a.more)
    for seed, recording in enumerate(sorted(glob.glob(a.recordings + "/*.wav"))):
        mel, out = os.path.join(folder, "mel.npy"), os.path.join(folder, os.path.basename(recording))
        run(a.lull, "mel", recording, "-c", convention, "-o", mel, "--force", "-q")
        run(a.lull, "synth", mel, "-o", out, "-f", "float", "--force", "-q", "--seed", str(seed), *options)
        os.remove(mel)
        os.remove(mel + ".json")


def score(a, folder, mos):
    rows = {}
    done = json.loads(run(a.lull, "eval", "--json", "-q", a.recordings, folder))
    heard = {row["name"]: row for row in done["output"]["files"]}
    for path in sorted(glob.glob(folder + "/*.wav")):
        name = os.path.basename(path)
        row = {"pesq": pesq_of(os.path.join(a.recordings, name), path)}
        row.update((key, heard[name].get(key)) for key in ("modulation", "modulation_reference"))
        if mos:
            row["mos"] = mos(path)
        rows[name] = row
    return rows


def mean(rows, key):
    values = [row[key] for row in rows.values() if row.get(key) is not None and not math.isnan(row[key])]
    return sum(values) / len(values) if values else math.nan


def words(rows):
    text = "%.2f, %.2f" % (mean(rows, "pesq"), mean(rows, "modulation") / mean(rows, "modulation_reference"))
    return text + (", %.2f" % mean(rows, "mos") if "mos" in next(iter(rows.values())) else "")


def table(a, found, latency):
    ways = a.ways.split(",")
    for use in a.uses.split(","):
        print("\n| %s | latency | " % use + " | ".join(ways) + " |")
        print("| --- |" + " --- |" * (len(ways) + 1))
        for convention in a.conventions:
            cells = ["%.0f ms" % latency(convention, use)]
            cells += [words(found["%s %s %s" % (convention, use, way)]) for way in ways]
            print("| `%s` | " % convention + " | ".join(cells) + " |")


def main():
    a = arguments()
    names = re.findall(r"^([a-z0-9-]+)(?: \(.*?\))?: ", run(a.lull, "info", "--conventions"), re.M)
    a.conventions = a.conventions.split(",") if a.conventions else names
    info, mos = json.loads(run(a.lull, "info", "--json", a.model)), judge() if a.mos else None
    found = {}
    if a.json and os.path.exists(a.json):
        with open(a.json) as file:
            found = json.load(file)
    for convention in a.conventions:
        for use in a.uses.split(","):
            for way in a.ways.split(","):
                key = "%s %s %s" % (convention, use, way)
                if key not in found or (mos and "mos" not in next(iter(found[key].values()))):
                    with tempfile.TemporaryDirectory() as folder:
                        copies(a, folder, convention, use, way, info)
                        found[key] = score(a, folder, mos)
                    if a.json:
                        with open(a.json, "w") as file:
                            json.dump(found, file, indent=1)
                print("%-48s %s" % (key, words(found[key])), flush=True)
    table(a, found, Latency(a.library, a.model))


if __name__ == "__main__":
    main()
