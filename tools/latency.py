#!/usr/bin/env python3
"""Latency against quality: the table and the picture of docs/latency.md.

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

# (steps, refinements, window, momentum): from the shortest delay to what only files can wait for.
SETTINGS = [(1, 4, 0, 0.9), (1, 16, 0, 0.8), (1, 16, 1, 0.8), (1, 16, 1, 0.9), (1, 4, 2, 0.9), (6, 4, 2, 0.9), (1, 16, 3, 0.9),
            (1, 16, 4, 0.9), (1, 16, 6, 0.9), (6, 16, 4, 0.9), (1, 8, 12, 0.9), (1, 8, 32, 0.9), (6, 8, 32, 0.9)]


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
    for steps, refine, window, _ in SETTINGS:
        options, vocoder = Options(), ctypes.c_void_p()
        lull.lull_options_init_sized(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options)))
        options.steps, options.refine, options.refine_window, options.postnet = steps, refine, window, 0
        if lull.lull_vocoder_new(handle, ctypes.byref(options), ctypes.byref(vocoder), ctypes.byref(error)):
            sys.exit("latency.py: " + error.message.decode())
        yield lull.lull_vocoder_latency(vocoder)
        lull.lull_vocoder_free(vocoder)


def scores(arguments, setting):
    """{system: (mel, lsd_2048, periodicity, pesq or None)}"""
    with tempfile.TemporaryDirectory() as folder:
        steps, refine, window, momentum = (str(value) for value in setting)
        command = [arguments.lull, "eval", arguments.model, "--corpus", arguments.corpus, "--json", "-q", "--noise",
                   "--griffin-lim", "0", "-n", steps, "-r", refine, "--refine-window", window,
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
            result[system] = (mean["mel"], mean["lsd_2048"], mean["periodicity"], pesq)
        return result


def draw(path, rows, label, higher_is_better):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.figure(figsize=(6, 3.6))
    for system, marker, line, color in (("lull", "o", "-", "C0"), ("noise", "s", "--", "C1")):
        times = [milliseconds for milliseconds, _ in rows]
        values = [value[system] for _, value in rows]
        # The line goes through the best that a latency can have, the points are all settings.
        best = list(itertools.accumulate(values, max if higher_is_better else min))
        pyplot.plot(times, values, marker, color=color, markersize=4)
        pyplot.plot(times, best, line, color=color, drawstyle="steps-post", label={"lull": "network", "noise": "coloured noise"}[system])
    for limit in (80, 150):
        pyplot.axvline(limit, color="0.7", linewidth=1)
    pyplot.xscale("log")
    ticks = [50, 80, 100, 150, 250, 450]
    pyplot.xticks(ticks, [str(tick) for tick in ticks])
    pyplot.minorticks_off()
    pyplot.xlabel("algorithmic latency, ms")
    pyplot.ylabel(label)
    pyplot.legend()
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
    print("| steps | refinements | window | momentum | latency | PESQ: network / noise | mel error | LSD 2048 | periodicity error |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for setting, samples in zip(SETTINGS, latencies(arguments.library, arguments.model)):
        values = scores(arguments, setting)
        lull, noise = values["lull"], values["noise"]
        pesq = f"{lull[3]:.2f} / {noise[3]:.2f}" if arguments.pesq else "-"
        milliseconds = 1000 * samples / arguments.rate
        print(f"| {setting[0]} | {setting[1]} | {setting[2]} | {setting[3]} | {milliseconds:.0f} ms | {pesq} | {lull[0]:.3f} / {noise[0]:.3f} "
              f"| {lull[1]:.3f} / {noise[1]:.3f} | {lull[2]:.3f} / {noise[2]:.3f} |", flush=True)
        which = 3 if arguments.pesq else 1
        rows.append((milliseconds, {system: value[which] for system, value in values.items()}))
    if arguments.picture:
        rows.sort(key=lambda row: (row[0], row[1]["lull"]))
        draw(arguments.picture, rows, "wide-band PESQ" if arguments.pesq else "log-spectral distance", bool(arguments.pesq))


if __name__ == "__main__":
    main()
