#!/usr/bin/env python3
"""Feeds mel frames to lull one by one, as they leave a text-to-speech front end.

    feed_frames.py mel.npy                         plays through the sound card
    feed_frames.py mel.npy synth - -o - > out.raw  any other lull command that reads frames from standard input

Replace frames() by a loop over what your acoustic model gives: every frame is 80 float32 in the model's
convention, written as soon as it is there. What lull cannot take yet makes write() wait, so memory stays flat.
"""
import array
import ast
import subprocess
import sys
import time

HOP_SECONDS = 256 / 22050  # how fast this stand-in for an acoustic model makes frames


def frames(path):
    with open(path, "rb") as file:
        assert file.read(8) == b"\x93NUMPY\x01\x00", "a .npy file of version 1.0"
        size = int.from_bytes(file.read(2), "little")
        header = ast.literal_eval(file.read(size).decode())
        values = array.array("f", file.read())
    bands, count = header["shape"][-2:]  # float32 [bands, frames]
    for f in range(count):
        yield array.array("f", (values[b * count + f] for b in range(bands)))
        time.sleep(HOP_SECONDS)


def main():
    command = sys.argv[2:] or ["play", "-"]
    with subprocess.Popen(["lull", *command], stdin=subprocess.PIPE) as lull:
        for frame in frames(sys.argv[1]):
            lull.stdin.write(frame.tobytes())
            lull.stdin.flush()  # now, not when a buffer is full
    return lull.returncode


sys.exit(main())
