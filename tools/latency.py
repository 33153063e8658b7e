#!/usr/bin/env python3
"""Latency and cost against quality: the table and the picture of docs/latency.md.

    latency.py CORPUS [--model FILE] [--lull PROGRAM] [--library liblull.so] [--limit N] [--picture FILE.png]
               [--pesq COMMAND]      COMMAND REFERENCE_DIR OUTPUT_DIR prints a line "mean NUMBER"

Copies CORPUS with `lull eval` at every setting, beside coloured noise with the same mel consistency.
"""
import argparse
import ctypes
import itertools
import json
import re
import shlex
import subprocess
import sys
import tempfile

# (steps, refinements, those of the low band, window, momentum): from the shortest delay to what only files can wait for.
SETTINGS = [(1, 4, 0, 0, 0.8), (1, 2, 24, 0, 0.8), (1, 8, 0, 1, 0.7), (1, 16, 0, 1, 0.7), (1, 2, 20, 1, 0.7), (1, 4, 48, 1, 0.7), (1, 2, 24, 2, 0.9),
            (6, 2, 24, 2, 0.9), (1, 2, 16, 3, 0.9), (1, 7, 0, 4, 0.8), (1, 16, 0, 4, 0.9), (1, 2, 28, 4, 0.9), (6, 2, 32, 3, 0.9), (1, 8, 0, 8, 0.8),
            (1, 2, 24, 9, 0.9), (1, 2, 28, 16, 0.9), (1, 8, 0, 32, 0.9), (1, 2, 32, 32, 0.9)]
LOW_COST = 1 / 4  # of an iteration of the low band


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("seed", ctypes.c_uint64), ("steps", ctypes.c_int),
                ("sampler", ctypes.c_int), ("eta", ctypes.c_float), ("refine", ctypes.c_int),
                ("refine_window", ctypes.c_int), ("use", ctypes.c_int), ("threads", ctypes.c_int),
                ("precision", ctypes.c_int), ("queue_frames", ctypes.c_size_t),
                ("refine_momentum", ctypes.c_float), ("postnet", ctypes.c_int)]


def latencies(library, model):
    """Samples of latency at every setting."""
    lull = ctypes.CDLL(library)
    lull.lull_vocoder_latency.restype = ctypes.c_size_t
    handle, error = ctypes.c_void_p(), Error()
    if lull.lull_model_open(model.encode(), ctypes.byref(handle), ctypes.byref(error)):
        sys.exit("latency.py: " + error.message.decode())
    for steps, refine, _, window, _ in SETTINGS:
        options, vocoder = Options(), ctypes.c_void_p()
        lull.lull_options_init_sized(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options)))
        options.steps, options.refine, options.refine_window, options.postnet = steps, refine, window, 0
        if lull.lull_vocoder_new(handle, ctypes.byref(options), ctypes.byref(vocoder), ctypes.byref(error)):
            sys.exit("latency.py: " + error.message.decode())
        yield lull.lull_vocoder_latency(vocoder)
        lull.lull_vocoder_free(vocoder)


def scores(arguments, setting):
    """{system: (mel, periodicity, modulation, pesq or None)}"""
    with tempfile.TemporaryDirectory() as folder:
        steps, refine, low, window, momentum = (str(value) for value in setting)
        command = [arguments.lull, "eval", arguments.model, "--corpus", arguments.corpus, "--json", "-q", "--noise",
                   "--griffin-lim", "0", "-n", steps, "-r", refine, "--refine-low", low, "--refine-window", window,
                   "--refine-momentum", momentum, "--postnet", "off", "-o", folder]
        if arguments.limit:
            command += ["--limit", str(arguments.limit)]
        report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        result = {}
        for system, facts in report.items():
            mean = {name: value["mean"] for name, value in facts["mean"].items() if isinstance(value, dict)}
            pesq = None
            if arguments.pesq:
                words = shlex.split(arguments.pesq) + [arguments.corpus, folder + "/" + system]
                text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
                pesq = float(re.findall(r"^mean\s+([\d.]+)", text, re.M)[-1])
            result[system] = (mean["mel"], mean["periodicity"], mean["modulation"], pesq)
        return result


def draw(path, rows, label):
    """rows: (ms, iterations a frame, {system: quality})"""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    _, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    axes = ((0, "algorithmic latency, ms", [50, 80, 100, 150, 250, 450]), (1, "refinements a frame, in all (of the low band: a quarter)", [4, 8, 16, 40, 80, 160, 264]))
    for panel, (which, name, ticks) in zip(panels, axes):
        for system, marker, line, color in (("lull", "o", "-", "C0"), ("noise", "s", "--", "C1")):
            points = sorted((row[which], row[2][system]) for row in rows)
            # The line goes through the best that can be had for so much, the points are all settings.
            best = list(itertools.accumulate((value for _, value in points), max))
            panel.plot([at for at, _ in points], [value for _, value in points], marker, color=color, markersize=4)
            panel.plot([at for at, _ in points], best, line, color=color, drawstyle="steps-post",
                       label={"lull": "network and pitch source", "noise": "coloured noise"}[system])
        panel.set_xscale("log")
        panel.set_xticks(ticks)
        panel.set_xticklabels([str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel(name)
    for limit in (90, 150):
        panels[0].axvline(limit, color="0.7", linewidth=1)
    panels[0].set_ylabel(label)
    panels[1].legend()
    pyplot.tight_layout()
    pyplot.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("--model", default="models/lull-speech-22k.safetensors")
    parser.add_argument("--lull", default="build/lull")
    parser.add_argument("--library", default="build/src/vocoder/liblull.so")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--picture")
    parser.add_argument("--pesq")
    parser.add_argument("--rate", type=int, default=22050)
    arguments = parser.parse_args()
    rows = []
    print("| steps | refinements | of the low band | window | momentum | latency | refinements a frame | PESQ: lull / noise | HF modulation | mel error | periodicity error |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for setting, samples in zip(SETTINGS, latencies(arguments.library, arguments.model)):
        values = scores(arguments, setting)
        lull, noise = values["lull"], values["noise"]
        pesq = f"{lull[3]:.2f} / {noise[3]:.2f}" if arguments.pesq else "-"
        milliseconds, work = 1000 * samples / arguments.rate, (setting[1] + LOW_COST * setting[2]) * (setting[3] + 1)
        print(f"| {setting[0]} | {setting[1]} | {setting[2]} | {setting[3]} | {setting[4]} | {milliseconds:.0f} ms | {work:.0f} | {pesq} | {lull[2]:.2f} / {noise[2]:.2f} "
              f"| {lull[0]:.3f} / {noise[0]:.3f} | {lull[1]:.3f} / {noise[1]:.3f} |", flush=True)
        which = 3 if arguments.pesq else 2
        rows.append((milliseconds, work, {system: value[which] for system, value in values.items()}))
    if arguments.picture:
        draw(arguments.picture, rows, "wide-band PESQ" if arguments.pesq else "HF modulation")


if __name__ == "__main__":
    main()
