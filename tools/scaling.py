#!/usr/bin/env python3
"""What training on many machines would give: measures on this one, models, checks the model, writes docs/scaling.md.

    tools/scaling.py build/lull

Each "machine" is a network namespace with one thread of this computer, its link limited by tc (tests/train/machines.py);
so it needs root, mpirun, iproute2, and python3-matplotlib for the plot. The more idle the computer, the better the figures.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(SOURCE, "tests", "train"))

HEADERS = 1514 / 1448  # bytes on the wire for a byte of TCP payload: Ethernet, IPv4, TCP with time stamps
BUCKET = 65536 * 4     # bytes at which a bucket is closed (src/train/exchange.c)
SMALL = ("--channels 16 --layers 3 --set network.dilations=[1,2,4] --set network.look_ahead=[1,1,0] "
         "--crop-frames 8 -b 1").split()
TINY = [*SMALL, "--set", "network.embedding.hidden=8", "--set", "network.conditioner.channels=4",
        "--set", "network.conditioner.layers=1"]
DEFAULT = ["-b", "8"]
NETWORKS = {"default": DEFAULT, "small": SMALL, "tiny": TINY}
COMMON = ("--warm-up 1 --eval-every 0 --samples 0 -t 1 --valid").split()
# Ranks, bits a second (0 = no limit), network.
PLAN = [(2, 0, "tiny"), (2, 0, "small"), (2, 0, "default"), (2, 100e6, "default"), (2, 50e6, "default")]
PLAN += [(2, rate, "small") for rate in (300e6, 100e6, 50e6, 20e6)]
PLAN += [(ranks, rate, "small") for ranks in (3, 4) for rate in (100e6, 50e6, 20e6)]


# ---- the model -----------------------------------------------------------------------------------

def power(ranks):
    return 2 ** int(math.log2(ranks))


def traffic(ranks):
    """Bytes that the busiest rank sends for a byte of gradient: reduce-scatter and all-gather among a power of two ranks;
    each rank beyond that gives its gradient to one of them and gets the sum from it."""
    p = power(ranks)
    return 2 * (p - 1) / p + (1 if ranks > p else 0)


def rounds(ranks):
    p = power(ranks)
    return 2 * int(math.log2(p)) + (2 if ranks > p else 0)


def buckets(early, late, lead, compute):
    """(when complete, bytes): the early ones evenly over the last `lead` seconds of the backward pass."""
    n = max(1, round(early / BUCKET)) if early > 0 else 0
    list_ = [(compute - lead * (n - i) / n, early / n) for i in range(n)]
    m = max(1, round(late / BUCKET))
    return list_ + [(compute, late / m)] * m


def step_seconds(ranks, compute, early, late, lead, rate, per_byte, per_round):
    """Seconds of a step. The link and the thread that feeds it serve one bucket after the other, at rate (bits a second;
    0 = only the software's cost per byte); the rounds of different buckets wait side by side."""
    if ranks == 1:
        return compute
    free = end = 0.0
    for ready, size in buckets(early, late, lead, compute):
        sent = traffic(ranks) * size
        service = sent * max(per_byte, 8 * HEADERS / rate if rate > 0 else 0.0)
        begin = max(free, ready)
        free = begin + service
        end = max(end, free, ready + service + rounds(ranks) * per_round)
    return max(compute, end)


# ---- measuring -----------------------------------------------------------------------------------

def measure(program, corpus, folder, ranks, rate, network, steps):
    import several
    from machines import Machines
    run = os.path.join(folder, "run-%d-%d-%d" % (ranks, rate, len(network)))
    machines = Machines(count=ranks, rate=rate)
    try:
        words = machines.mpirun(program, "train", corpus, "-o", run, "--max-steps", str(steps), *network, *COMMON, corpus)
        done = subprocess.run(words, env=several.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    finally:
        machines.close()
    if done.returncode != 0:
        sys.exit("a run failed:\n" + done.stderr.decode())
    with open(os.path.join(run, "timing.jsonl")) as file:
        line = [json.loads(text) for text in file if "exchange_bytes" in text][-1]
    line.update(line.pop("quickest"))  # other work on this computer only ever adds
    line["rate"] = rate
    with open(os.path.join(run, "config.json")) as file:
        config = json.load(file)
    training, mel = config["training"], config["model"]["mel"]
    line["audio"] = training["batch"] * training["crop_frames"] * mel["hop"] / mel["sample_rate"]
    print("%d ranks, %s: %.3f MB a step, %.4f s a step, %.4f s of it waiting" %
          (ranks, "no limit" if rate == 0 else "%g Mbit/s" % (rate / 1e6), line["exchange_bytes"] / 1e6,
           line["step_seconds"], line["exposed_seconds"]), file=sys.stderr)
    return line


def best(program, corpus, folder, ranks, rate, network, steps, tries):
    """The quickest step of several runs."""
    runs = []
    for i in range(tries):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            runs.append(measure(program, corpus, own, ranks, rate, network, steps))
    return min(runs, key=lambda line: line["step_seconds"])


class Network:
    """What a run says of its computing: all that the model is given of it."""

    def __init__(self, line):
        self.ranks = line["ranks"]
        self.exposed = line["exposed_seconds"]
        self.compute = line["step_seconds"] - self.exposed
        self.bytes, self.early = line["exchange_bytes"], line["early_bytes"]
        self.late, self.lead = self.bytes - self.early, line["lead_seconds"]

    def waiting(self, rate, per_byte, per_round):
        return step_seconds(self.ranks, self.compute, self.early, self.late, self.lead, rate, per_byte,
                            per_round) - self.compute


def software(tiny, small):
    """Seconds a byte sent and seconds a round: waited = bytes · per_byte + rounds · per_round, for two networks that
    have next to nothing to compute, without limit."""
    a, b = tiny.bytes * traffic(tiny.ranks), small.bytes * traffic(small.ranks)
    per_byte = max(0.0, (small.exposed - tiny.exposed) / (b - a))
    return per_byte, max(0.0, tiny.exposed - a * per_byte) / rounds(tiny.ranks)


# ---- words and picture ---------------------------------------------------------------------------

NODES = [2 ** i for i in range(11)]
KINDS = ((1, "one core of this machine"), (16, "16 times as fast"), (256, "256 times as fast"))
SPEEDS = (10e9, 100e9)


def rows(large, per_byte, per_round, audio, hours, times, rate):
    for n in NODES:
        compute, lead = large.compute / times, large.lead / times
        seconds = step_seconds(n, compute, large.early, large.late, lead, rate, per_byte, per_round)
        yield n, 86400 / seconds * n * audio / (3600 * hours), (seconds - compute) / seconds


def dominates(large, per_byte, per_round, times, rate):
    """The number of nodes from which a step waits longer for the exchange than it computes; None: not up to 2^20."""
    for n in [2 ** i for i in range(1, 21)]:
        compute = large.compute / times
        seconds = step_seconds(n, compute, large.early, large.late, large.lead / times, rate, per_byte, per_round)
        if seconds > 2 * compute:
            return n
    return None


def crossing_speed(large, per_byte, per_round, nodes, rate):
    """How many times as fast as here a node must be for the exchange to dominate."""
    low, high = 1.0, 1e7
    for _ in range(60):
        middle = math.sqrt(low * high)
        compute = large.compute / middle
        if step_seconds(nodes, compute, large.early, large.late, large.lead / middle, rate, per_byte,
                        per_round) > 2 * compute:
            high = middle
        else:
            low = middle
    return high


def picture(path, checks, large, per_byte, per_round, audio, hours):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(11, 3.6))
    for (times, name), colour in zip(KINDS, ("tab:blue", "tab:orange", "tab:green")):
        for rate, style in zip(SPEEDS, (":", "-")):
            points = list(rows(large, per_byte, per_round, audio, hours, times, rate))
            label = "%s, %g Gbit/s" % (name, rate / 1e9)
            left.loglog([p[0] for p in points], [p[1] for p in points], style, color=colour, label=label)
            middle.semilogx([p[0] for p in points], [100 * p[2] for p in points], style, color=colour)
    left.set(xlabel="nodes", ylabel="epochs a day (%g h corpus)" % hours, title="throughput")
    left.legend(fontsize=6)
    middle.set(xlabel="nodes", ylabel="% of a step waiting for the exchange", title="what the exchange costs",
               ylim=(0, 100))
    middle.axhline(50, color="grey", linewidth=0.5)
    for ranks in sorted({c["ranks"] for c in checks}):
        mine = [c for c in checks if c["ranks"] == ranks]
        right.loglog([c["model"] for c in mine], [c["measured"] for c in mine], "o", label="%d machines" % ranks)
    span = [min(c["measured"] for c in checks) * 0.8, max(c["measured"] for c in checks) * 1.25]
    right.loglog(span, span, color="grey", linewidth=0.5)
    right.set(xlabel="model: seconds of waiting in a step", ylabel="measured", title="model and measurement")
    right.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def number(value):
    return "%.0f" % value if value >= 100 else "%.3g" % value


def cpu():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def report(path, load, checks, large, per_byte, per_round, audio, hours, steps, tries):
    errors = [abs(c["model"] / c["measured"] - 1) for c in checks]
    out = []
    put = out.append
    put("# Training on many machines: what to expect\n")
    put("Written by `tools/scaling.py`: figures measured on one computer (%s, %d cores), whose machines are network\n"
        "namespaces with one thread each, and a model of the rest, checked on what could be measured.\n"
        % (cpu(), os.cpu_count() or 1))
    put("![epochs a day, cost of the exchange, model against measurement](scaling.png)\n")
    put("## Measured\n")
    put("The default network with batches of 8 crops: %.2f s of audio a step and machine, %.3f s to compute on one core, "
        "%.2f MB of\ngradient to exchange. %.0f %% of it is on its way before the backward pass ends, the first part %.1f ms "
        "before. The quickest\nstep of %d × %d counts. %s\n"
        % (audio, large.compute, large.bytes / 1e6, 100 * large.early / large.bytes, 1e3 * large.lead, tries, steps,
           "The computer did much else meanwhile (load %.0f): an idle one computes faster than said here." % load
           if load > (os.cpu_count() or 1) else "The computer did little else."))
    put("| machines | network | link, Mbit/s | gradient, MB | s a step | of it waiting for the exchange | model | error |")
    put("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for c in checks:
        put("| %d | %s | %g | %.2f | %.4f | %.4f | %.4f | %+.0f %% |"
            % (c["ranks"], c["network"], c["rate"] / 1e6, c["bytes"] / 1e6, c["step"], c["measured"], c["model"],
               100 * (c["model"] / c["measured"] - 1)))
    put("")
    put("The model's error is %.0f %% in the mean and at most %.0f %%. What is computed (a step less its waiting) and when the gradients "
        "are final is\ntaken from each run, what the exchange costs from the link's rate and the model.\n"
        % (100 * sum(errors) / len(errors), 100 * max(errors)))
    put("## Model\n")
    put("A step of N = 2^k machines sends 2 (N − 1)/N bytes for every byte of gradient (reduce-scatter and all-gather) in 2 k rounds. "
        "Other\nnumbers are served less well: the machines beyond a power of two hand their gradient to another, which sends one more "
        "byte for every byte.\nBuckets of 256 KB are served one after the other, from the moment when their gradients are "
        "final; a byte costs the slower of the\nlink (with TCP's headers) and the software (%.2f ns, measured without limit), "
        "and the rounds of a bucket cost %.0f µs each (measured;\nit contains the sleep of the thread that looks after MPI).\n"
        "Not in it: machines of uneven speed (a step waits for the slowest), "
        "a network shared with others, and reading the corpus.\n" % (1e9 * per_byte, 1e6 * per_round))
    put("## Epochs a day\n")
    put("A corpus of %g h; every machine has its own batch of 8, so N machines take steps of 8 N crops: this is throughput, not how "
        "fast a\nmodel becomes good. \"16 times as fast\" is a machine that computes the step in a sixteenth of the time of one core "
        "here.\n" % hours)
    header = "| machines |" + "".join(" %s, %g Gbit/s |" % (name, rate / 1e9) for _, name in KINDS for rate in SPEEDS)
    put(header)
    put("| --- |" + " --- |" * (len(KINDS) * len(SPEEDS)))
    columns = [list(rows(large, per_byte, per_round, audio, hours, times, rate)) for times, _ in KINDS for rate in SPEEDS]
    for i, n in enumerate(NODES):
        put("| %d |" % n + "".join(" %s (%.0f %%) |" % (number(c[i][1]), 100 * c[i][2]) for c in columns))
    put("\nIn brackets: share of the step that is spent waiting for the exchange.\n")
    put("## Where the exchange dominates\n")
    put("More than half of the step is waiting\n")
    for times, name in KINDS:
        for rate in SPEEDS:
            n = dominates(large, per_byte, per_round, times, rate)
            put("- %s, %g Gbit/s: %s" % (name, rate / 1e9, "nowhere up to a million machines" if n is None else
                                         "from %d machines on" % n))
    put("")
    for rate in SPEEDS:
        put("With 1024 machines on %g Gbit/s a machine must compute the step %.0f times as fast as one core here (in %.1f ms) for that."
            % (rate / 1e9, crossing_speed(large, per_byte, per_round, 1024, rate),
               1e3 * large.compute / crossing_speed(large, per_byte, per_round, 1024, rate)))
    if per_byte > 8 * HEADERS / 10e9:
        put("\nThe software's cost of a byte here is that of a %.1f Gbit/s link: TCP between namespaces, and both machines and the sums on "
            "%d cores. So\n10 and 100 Gbit/s give the same figures; on machines with a core to spare and a better network both would "
            "be better than said here." % (8 * HEADERS / per_byte / 1e9, os.cpu_count() or 1))
    put("")
    with open(path, "w") as file:
        file.write("\n".join(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--docs", default=os.path.join(SOURCE, "docs"), help="where scaling.md and scaling.png go")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--hours", type=float, default=24.0, help="length of the corpus of the table")
    parser.add_argument("--keep", help="measurements are written to this JSON file, or taken from it when it exists")
    a = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that namespaces are removed
    os.environ["LULL_PROGRAM"] = os.path.abspath(a.program)
    os.environ.setdefault("LULL_MPI", "1")
    try:
        import matplotlib  # noqa: F401  better now than after the measurements
    except ImportError:
        sys.exit("tools/scaling.py: needs matplotlib (Debian: python3-matplotlib)")
    import several
    from machines import Machines
    reason = several.why_not() or Machines.why_not()
    if a.keep and os.path.exists(a.keep):
        with open(a.keep) as file:
            lines = json.load(file)
    elif reason is not None:
        sys.exit("tools/scaling.py: " + reason)
    else:
        with tempfile.TemporaryDirectory(prefix="lull-scaling-") as folder:
            corpus = os.path.join(folder, "corpus")
            os.mkdir(corpus)
            for i in range(4):
                several.voice(os.path.join(corpus, "voice%d.wav" % i), 22050, 1.5 + 0.3 * i, i)
            lines = []
            load = os.getloadavg()[0]
            for ranks, rate, name in PLAN:
                steps = a.steps if name == "default" else 4 * a.steps if rate == 0 else 2 * a.steps
                line = best(os.path.abspath(a.program), corpus, folder, ranks, rate, NETWORKS[name], steps, a.tries)
                line["network"] = name
                lines.append(line)
            lines[0]["load"] = load
        if a.keep:
            with open(a.keep, "w") as file:
                json.dump(lines, file, indent=1)
    free = {line["network"]: Network(line) for line in lines if line["rate"] == 0}
    large = free["default"]
    per_byte, per_round = software(free["tiny"], free["small"])
    checks = []
    for line in lines:
        network = Network(line)
        if line["rate"] > 0:
            checks.append({"ranks": line["ranks"], "network": line["network"], "rate": line["rate"],
                           "bytes": line["exchange_bytes"], "step": line["step_seconds"],
                           "measured": line["exposed_seconds"],
                           "model": network.waiting(line["rate"], per_byte, per_round)})
    audio = next(line["audio"] for line in lines if line["network"] == "default")
    report(os.path.join(a.docs, "scaling.md"), lines[0]["load"], checks, large, per_byte, per_round, audio, a.hours, a.steps, a.tries)
    picture(os.path.join(a.docs, "scaling.png"), checks, large, per_byte, per_round, audio, a.hours)


if __name__ == "__main__":
    main()
