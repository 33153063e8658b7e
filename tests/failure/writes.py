#!/usr/bin/env python3
"""Every write of a command fails in turn (shim.c): the command says so and ends with 1, the file that was there before
is whole, nothing unfinished is left; where a write was only interrupted or short, nothing happens at all. A training
run that met such a failure is resumed and ends with the bytes of the run that met none.

    writes.py [COMMAND…]     environment: LULL_PROGRAM, FAILURE_SHIM, FAILURE_CARD (sound_card.c); FAILURE_ALL=1 tries
                             every kind at every write
"""
import json, math, os, shutil, struct, subprocess, sys, tempfile

PROGRAM, SHIM = os.environ["LULL_PROGRAM"], os.environ["FAILURE_SHIM"]
PRELOAD = ":".join(filter(None, [SHIM, os.environ.get("FAILURE_CARD")]))
SOURCE = os.environ.get("LULL_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
MODEL = os.path.join(SOURCE, "tests", "fuzz", "corpus", "model", "model")  # 4 bands, 8 kHz
KINDS = ["ENOSPC", "EIO", "STUCK", "EINTR", "SHORT"]
HARMLESS = ("EINTR", "SHORT")


def lull(folder, words, fail=0, how="ENOSPC"):
    """(exit code, messages, number of writing calls, standard output)"""
    count = os.path.join(folder, "..", "count")
    environment = dict(os.environ, LD_PRELOAD=PRELOAD, SHIM_FAIL=str(fail), SHIM_HOW=how, SHIM_COUNT=count)
    done = subprocess.run([PROGRAM] + words, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
    with open(count) as file:
        return done.returncode, done.stderr.decode(errors="replace"), int(file.read()), done.stdout


def files(folder):
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def wav(path, seconds, rate=8000):
    samples = [int(9000 * math.sin(i / 9) * (1 + 0.5 * math.sin(i / 300))) for i in range(int(seconds * rate))]
    data = struct.pack("<%dh" % len(samples), *samples)
    with open(path, "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " +
                   struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16) + b"data" + struct.pack("<I", len(data)) + data)


def npy(path, bands, frames):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (bands, frames)
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    values = [-5 + 2 * math.sin(i) for i in range(bands * frames)]
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() +
                   struct.pack("<%df" % len(values), *values))


COMMANDS = {
    "synth": (["synth", "-q", "-m", MODEL, "mel.npy", "-o", "out/a"], "out/a"),
    "synth_stdout": (["synth", "-q", "-m", MODEL, "mel.npy", "-o", "-"], None),
    "synth_trace": (["synth", "-q", "-m", MODEL, "mel.npy", "-o", "out/a", "-T", "out/trace"], "out/a"),
    "mel": (["mel", "-q", "-m", MODEL, "in.wav", "-o", "out/a"], "out/a"),
    "plot": (["plot", "-q", "-W", "300", "-H", "100", "in.wav", "-o", "out/a"], "out/a"),
    "play": (["play", "-q", "-m", MODEL, "in.wav", "--tee", "out/a"], "out/a"),
    "info": (["info", MODEL], None),
    "eval": (["eval", "-q", "--json", "in.wav", "in.wav"], None),
}


def kinds_at(n):
    if os.environ.get("FAILURE_ALL"):
        return KINDS
    return [KINDS[n % 3], KINDS[3 + n % 2]]


def places(total):
    """Every write, of many every other one, of very many the first, the last and some between."""
    if total <= 120 or os.environ.get("FAILURE_ALL"):
        return range(1, total + 1)
    if total <= 1000:
        return range(1, total + 1, 2)
    return [*range(1, 11), *range(11, total - 10, (total - 20) // 10), *range(total - 10, total + 1)]


def check(condition, *words):
    if not condition:
        print("FAILED:", *words)
        sys.exit(1)


def one_command(name, root):
    words, output = COMMANDS[name]
    folder = os.path.join(root, name)
    os.mkdir(folder)
    npy(os.path.join(folder, "mel.npy"), 4, 12)
    wav(os.path.join(folder, "in.wav"), 1.5)
    out = os.path.join(folder, "out")

    def begin():
        shutil.rmtree(out, ignore_errors=True)
        os.mkdir(out)
        if output:
            with open(os.path.join(folder, output), "wb") as file:
                file.write(b"what was there before")

    begin()
    code, said, total, right = lull(folder, words)
    check(code == 0 and total > 0, name, code, said, total)
    whole, runs = files(out), 0
    check(not output or whole["a"] != b"what was there before", name)
    for n in places(total):
        for how in kinds_at(n):
            begin()
            code, said, _, printed = lull(folder, words, n, how)
            after, what = files(out), "%s: write %d of %d, %s:" % (name, n, total, how)
            runs += 1
            if how in HARMLESS:
                check(code == 0 and after == whole and printed == right, what, code, said)
                continue
            check(code == 1 and said.startswith("lull: ") and said.count("\n") == 1, what, code, said)
            check(output is None or after["a"] in (b"what was there before", whole["a"]), what, "the old file is gone")
            check(not [f for f in after if os.path.basename(f).startswith(".")], what, sorted(after))
            for path, content in after.items():
                check(path == "a" or whole.get(path) == content, what, path, "is neither old nor new")
    print("%-14s %d writes, %d runs" % (name, total, runs))


CONFIGURATION = {
    "format": 1, "family": "lull", "name": "tiny",
    "mel": {"convention": "hifigan", "sample_rate": 8000, "n_fft": 64, "window": 64, "hop": 16, "bands": 4, "fmax": 4000},
    "network": {"patch": 8, "channels": 2, "layers": 1, "kernel": 3, "dilations": [1], "look_ahead": [0],
                "embedding": {"hidden": 2, "frequencies": 1},
                "conditioner": {"channels": 2, "kernel": 1, "layers": 1, "look_ahead": 0}},
    "synthesis": {"steps": 1, "refine": 1, "refine_window": 1},
}


def lasting(folder):
    """What a resumed run must end with: the model, the log and the last checkpoint's tensors. (Its header counts the
    log's bytes when it was written: one that succeeds at the second try is written behind the last evaluation's line.)"""
    kept = {name: data for name, data in files(folder).items()
            if name in ("model.safetensors", "log.jsonl", "checkpoints/0000004.safetensors")}
    for name, data in kept.items():
        if name.startswith("checkpoints"):
            kept[name] = data[8 + struct.unpack("<Q", data[:8])[0]:]
    return kept


def train(root):
    folder = os.path.join(root, "train")
    os.makedirs(os.path.join(folder, "corpus"))
    for i in range(3):
        wav(os.path.join(folder, "corpus", "%d.wav" % i), 1 + 0.3 * i)
    with open(os.path.join(folder, "tiny.json"), "w") as file:
        json.dump(CONFIGURATION, file)
    base = ["train", "-q", "corpus", "--config", "tiny.json", "--batch", "1", "--crop-frames", "16", "--samples", "1",
            "-t", "1", "--checkpoint-every", "1", "--course", "constant"]
    code, said, _, _ = lull(folder, base + ["-o", "whole", "--max-steps", "4"])
    check(code == 0, "train", code, said)
    right = lasting(os.path.join(folder, "whole"))
    code, said, _, _ = lull(folder, base + ["-o", "half", "--max-steps", "2"])
    check(code == 0, "train", code, said)
    resume = ["train", "-q", "--resume", "run", "--max-steps", "4"]

    def begin():
        shutil.rmtree(os.path.join(folder, "run"), ignore_errors=True)
        shutil.copytree(os.path.join(folder, "half"), os.path.join(folder, "run"))

    begin()
    code, said, total, _ = lull(folder, resume)
    check(code == 0, "train --resume", code, said)
    check(lasting(os.path.join(folder, "run")) == right, "train: resuming does not end where the whole run ends")
    runs = survived = 0
    for n in places(total):
        for how in kinds_at(n):
            begin()
            what = "train: write %d of %d, %s:" % (n, total, how)
            code, said, _, _ = lull(folder, resume, n, how)
            runs += 1
            if how in HARMLESS:
                check(code == 0, what, code, said)
            elif code == 0:
                survived += 1
            else:
                check(code == 1 and "lull: " in said, what, code, said)
            if code:
                code, said, _, _ = lull(folder, resume)
                check(code == 0, what, "resume:", code, said)
            now = lasting(os.path.join(folder, "run"))
            if how == "STUCK" or n == total:
                # A disk that stayed full, or whose last write failed, may have cost the evaluation at the very last step its line.
                lines = set(now.get("log.jsonl", b"").splitlines())
                losses = {line for line in right["log.jsonl"].splitlines() if b'"loss"' in line}
                check(losses <= lines <= set(right["log.jsonl"].splitlines()), what, "the log is not that of the whole run")
                now["log.jsonl"] = right["log.jsonl"]
            for name in right:
                check(now.get(name) == right[name], what, name, "differs after resuming")
            check(not [f for f in files(os.path.join(folder, "run")) if os.path.basename(f).startswith(".")], what,
                  "a temporary file is left after resuming")
    print("%-14s %d writes, %d runs (%d went on), every one ends as the run without failures" %
          ("train", total, runs, survived))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        for wanted in sys.argv[1:] or list(COMMANDS) + ["train"]:
            train(top) if wanted == "train" else one_command(wanted, top)
            sys.stdout.flush()
