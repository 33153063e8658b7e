#!/usr/bin/env python3
"""The pitch tracker beside Praat's and WORLD's: gross errors and voicing errors, voice by voice.

    tools/check_pitch.py VOICES_TSV FOLDER [--lull build/src/cli/lull] [--seconds 12]

VOICES_TSV: a table with columns `voice` and `use`; voices whose use is `test` are measured. FOLDER/VOICE/*.wav:
their recordings. Needs numpy, soundfile, praat-parselmouth and pyworld from PyPI. Ends with 1 when more than 3 % of
the frames that both call voiced differ from Praat's autocorrelation by over 20 %, or more than 8 % of all frames in
voicing. Praat's two methods differ by 1.1 % and 5.9 % on such recordings; Harvest and DIO call far more and far
fewer frames voiced than either, so they are shown and not judged by.
"""
import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile

import numpy
import parselmouth
import pyworld
import soundfile

HOP, RATE, LOWEST, HIGHEST = 256, 22050, 60, 650


def tracked(lull, path, folder):
    f0 = os.path.join(folder, "f0.npy")
    subprocess.run([lull, "mel", path, "-o", os.path.join(folder, "mel.npy"), "--f0", f0, "-c", "hifigan", "--rate",
                    str(RATE), "-q"], check=True)
    return numpy.load(f0)


def references(path, times):
    samples, rate = soundfile.read(path)
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    sound = parselmouth.Sound(samples, rate)
    found = {}
    for name, method in (("Praat (autocorrelation)", sound.to_pitch_ac), ("Praat (cross-correlation)",
                                                                          sound.to_pitch_cc)):
        pitch = method(time_step=0.01, pitch_floor=LOWEST, pitch_ceiling=HIGHEST)
        found[name] = numpy.nan_to_num(numpy.array([pitch.get_value_at_time(t) for t in times]))
    for name, method in (("Harvest", pyworld.harvest), ("DIO", pyworld.dio)):
        f0, at = method(samples, rate, f0_floor=LOWEST, f0_ceil=HIGHEST, frame_period=5)
        if name == "DIO":
            f0 = pyworld.stonemask(samples, f0, at, rate)
        found[name] = f0[numpy.minimum(numpy.round(times / 0.005).astype(int), len(f0) - 1)]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices")
    parser.add_argument("folder")
    parser.add_argument("--lull", default="build/src/cli/lull")
    parser.add_argument("--seconds", type=float, default=12, help="of each voice")
    args = parser.parse_args()
    with open(args.voices) as table:
        voices = [row["voice"] for row in csv.DictReader(table, delimiter="\t") if row["use"] == "test"]
    sums, cents, order = {}, {}, random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        for voice in voices:
            home = os.path.join(args.folder, voice)
            names = sorted(n for n in os.listdir(home) if n.endswith(".wav")) if os.path.isdir(home) else []
            order.shuffle(names)
            left = args.seconds
            for name in names:
                path = os.path.join(home, name)
                length = soundfile.info(path).duration
                if left <= 0 or length < 0.6:
                    continue
                left -= length
                ours = tracked(args.lull, path, folder)
                for judge, f0 in references(path, (numpy.arange(len(ours)) + 0.5) * HOP / RATE).items():
                    both = (ours > 0) & (f0 > 0)
                    ratio = ours[both] / f0[both]
                    gross = (abs(ratio - 1) > 0.2).sum()
                    row = numpy.array([both.sum(), gross, ((ours > 0) != (f0 > 0)).sum(), len(ours)])
                    for key in ((judge, "all"), (judge, voice)):
                        sums[key] = sums.get(key, 0) + row
                    cents.setdefault(judge, []).extend(abs(1200 * numpy.log2(ratio)))
    print("%-28s %-28s %7s %8s %6s" % ("against", "voice", "gross", "voicing", "cents"))
    for (judge, voice), (both, gross, differ, frames) in sorted(sums.items()):
        median = "%6.1f" % numpy.median(cents[judge]) if voice == "all" else ""
        print("%-28s %-28s %6.2f%% %7.2f%% %s" % (judge, voice, 100 * gross / max(both, 1), 100 * differ / frames, median))
    both, gross, differ, frames = sums["Praat (autocorrelation)", "all"]
    sys.exit(gross > 0.03 * both or differ > 0.08 * frames)


if __name__ == "__main__":
    main()
