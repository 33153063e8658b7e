#!/usr/bin/env python3
"""A whole text-to-speech system: sentence by sentence, the acoustic model's mel to the vocoder, and sound while the next
sentence is being made. The model is the Tacotron 2 (Mandarin, 22.05 kHz, ln mels) that the package ttskit 0.3.8 ships:

    pip install torch --index-url https://download.pytorch.org/whl/cpu    # without CUDA: a processor is enough
    pip install . phkit sounddevice && pip install --no-deps ttskit==0.3.8
    tacotron2.py [-o out.wav] [TEXT]           without -o: to the sound card

Its file is a pickle, which may run anything when it is loaded: take it from where you trust it.
"""
import argparse
import hashlib
import importlib.util
import os
import queue
import re
import sys
import threading
import time
import types
import wave

import numpy
import torch

import lull_vocoder

TEXT = "今天天气很好，我们去公园走走吧。公园里有很多花，还有一个小湖。我们晚上再回家。"


class Tacotron2:
    """Text to mel spectrograms [80, frames]: what lull calls "tacotron2-22k", natural logarithms."""

    def __init__(self, speaker="biaobei"):
        folder = os.path.dirname(importlib.util.find_spec("ttskit").origin)
        sys.path.insert(0, folder)  # the pickle calls ttskit's modules by their place in it
        for unused in ("aukit", "aukit.audio_spectrogram", "aukit.audio_io", "aukit.audio_griffinlim", "librosa",
                       "librosa.filters", "librosa.util"):
            sys.modules.setdefault(unused, _Anything(unused))  # with which its training reads recordings
        path = os.path.join(folder, "resource", "model", "mellotron.kuangdd-mspk.pt")
        self.model = torch.load(path, map_location="cpu", weights_only=False).eval()
        from phkit.chinese import text_to_sequence
        self.letters = text_to_sequence
        # A speaker is the digits of its name's MD5.
        digits = [int(digit, 16) for digit in hashlib.md5(speaker.encode()).hexdigest()]
        self.speaker = torch.tensor([[(digit - 7) / 10 for digit in digits]])

    def __call__(self, sentence):
        letters = torch.tensor([self.letters(sentence, "hanzi")])
        with torch.inference_mode():
            _, mel, gates, _ = self.model.inference((letters, 0, self.speaker, None))
        ends = torch.sigmoid(gates[0]) > 0.8
        return mel[:, :, :int(ends.int().argmax()) or None]


class _Anything(types.ModuleType):
    """A module that has whatever is asked for, and does nothing."""
    default_hparams = hparams_griffinlim = {}

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def sentences(text):
    return [part for part in re.findall(r"[^。！？!?]+[。！？!?]?", text) if part.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("text", nargs="?", default=TEXT)
    parser.add_argument("-o", "--output", help="a WAV file, in place of the sound card")
    arguments = parser.parse_args()

    torch.manual_seed(0)  # its prenet drops numbers at random
    acoustic, vocoder = Tacotron2(), lull_vocoder.Vocoder(convention="tacotron2-22k", use="live")
    mels = queue.Queue(2)

    def speak_ahead():
        try:
            for sentence in sentences(arguments.text):
                began = time.monotonic()
                mel = acoustic(sentence)
                mels.put((sentence, mel, began, time.monotonic()))
        finally:
            mels.put(None)

    write, close = wav(arguments.output, vocoder.rate) if arguments.output else card(vocoder.rate)
    threading.Thread(target=speak_ahead, daemon=True).start()
    free = 0.0  # since when the vocoder had nothing to do
    for sentence, mel, began, made in iter(mels.get, None):
        first, count = 0.0, 0
        for piece in vocoder.stream([mel]):
            first = first or time.monotonic()
            write(piece)
            count += len(piece)
        print(f"{sentence}  {count / vocoder.rate:.2f} s of speech; its mel took {made - began:.2f} s, "
              f"the first sound {1e3 * (first - max(made, free)):.0f} ms more", flush=True)
        free = time.monotonic()
    close()


def wav(path, rate):
    file = wave.open(path, "wb")
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
    return lambda piece: file.writeframes((piece * 32767).astype("<i2").tobytes()), file.close


def card(rate):
    import sounddevice
    out = sounddevice.OutputStream(rate, channels=1)
    out.start()
    return out.write, out.stop


if __name__ == "__main__":
    main()
