"""lull synth: what goes in and what comes out."""

import array
import json
import os
import random
import shutil
import struct
import threading
import time
import wave

import harness
from harness import BANDS, HOP, MEL, RECORDING, SHIPPED, SOURCE, Case, bands_first, frames_first, mel_bytes, npy_bytes
from harness import read_npy, speech_frames, wav_bytes

FRAMES = 24
SPEECH = speech_frames(FRAMES)
FAST = ("--steps", "2", "--refine", "2", "--live")


def raw_frames(frames):
    values = frames_first(frames)
    return struct.pack("<%df" % len(values), *values)


def floats(data):
    return array.array("f", data)


class Arrays(Case):
    def samples(self, *words, stdin=b""):
        """What comes out as raw float32."""
        return self.assert_fine(self.run_lull("synth", *words, "-o", "-", *FAST, stdin=stdin)).out

    def test_a_spectrogram_becomes_speech(self):
        self.assert_fine(self.run_lull("synth", MEL, "-o", "out.wav"))
        params, samples = self.wav("out.wav")
        frames = read_npy(MEL)[0][1]
        self.assertEqual((params.nchannels, params.sampwidth, params.framerate), (1, 2, 16000))
        self.assertEqual(len(samples), frames * HOP)
        self.assertEqual(self.files(), ["out.wav"])
        # Its own mel is near the wanted one: it is speech, not noise of the right length.
        self.assert_fine(self.run_lull("mel", "out.wav", "-o", "again.npy"))
        (shape, values), (wanted_shape, wanted) = read_npy(self.path("again.npy")), read_npy(MEL)
        self.assertEqual(shape, wanted_shape)
        error = sum(abs(a - b) for a, b in zip(values, wanted)) / len(wanted)
        self.assertLess(error, 0.15)

    def test_every_shape_of_the_same_mel(self):
        by_bands, by_frames = bands_first(SPEECH), frames_first(SPEECH)
        forms = {
            "bands": npy_bytes([BANDS, FRAMES], by_bands),
            "frames": npy_bytes([FRAMES, BANDS], by_frames),
            "batch": npy_bytes([1, BANDS, FRAMES], by_bands),
            "batch_frames": npy_bytes([1, FRAMES, BANDS], by_frames),
            "four": npy_bytes([1, 1, BANDS, FRAMES], by_bands),
            "fortran": npy_bytes([BANDS, FRAMES], by_frames, fortran=True),
            "double": npy_bytes([BANDS, FRAMES], by_bands, descr="<f8"),
            "version2": npy_bytes([BANDS, FRAMES], by_bands, version=2),
        }
        outputs = set()
        for name, data in forms.items():
            self.write(name + ".npy", data)
            outputs.add(self.samples(name + ".npy"))
        self.assertEqual(len(outputs), 1)
        self.assertEqual(len(outputs.pop()), FRAMES * HOP * 4)

    def test_half_precision(self):
        self.write("half.npy", npy_bytes([BANDS, FRAMES], bands_first(SPEECH), descr="<f2"))
        self.assertEqual(len(self.samples("half.npy")), FRAMES * HOP * 4)

    def test_square_with_layout(self):
        square = speech_frames(60, 10) + speech_frames(20, 10)
        self.write("square.npy", mel_bytes(square))
        self.write("turned.npy", npy_bytes([BANDS, BANDS], frames_first(square)))
        self.assert_same(self.samples("square.npy", "--layout", "bands-first"),
                         self.samples("turned.npy", "--layout", "frames-first"))

    def test_one_frame(self):
        self.write("one.npy", mel_bytes(SPEECH[:1]))
        self.write("row.npy", npy_bytes([1, BANDS], SPEECH[0]))
        self.assertEqual(len(self.samples("one.npy")), HOP * 4)
        self.assert_same(self.samples("one.npy"), self.samples("row.npy"))

    def test_conversions(self):
        # Refinement and bfloat16 would make more of the last digits of a mel.
        plain = ("--precision", "f32", "--refine", "0")
        self.write("ln.npy", mel_bytes(SPEECH))
        wanted = floats(self.samples("ln.npy", *plain))
        scales = {"log10": lambda v: v / 2.302585092994046, "linear": lambda v: 2.718281828459045 ** v,
                  "db": lambda v: 20 * v / 2.302585092994046, "ln": lambda v: v}
        for name, scale in scales.items():
            self.write("other.npy", npy_bytes([BANDS, FRAMES], [scale(v) for v in bands_first(SPEECH)], "<f8"))
            got = floats(self.samples("other.npy", "--from", name, *plain))
            self.assertLess(max(abs(a - b) for a, b in zip(got, wanted)), 1e-4, name)

    def test_formats(self):
        self.write("in.npy", mel_bytes(SPEECH))
        reference = floats(self.samples("in.npy"))
        for name, width, scale in (("pcm16", 2, 32768.0), ("pcm24", 3, 8388608.0)):
            self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", "--format", name, *FAST))
            raw = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "-", "--format", name, *FAST)).out
            import wave
            with wave.open(self.path("out.wav"), "rb") as reader:
                self.assertEqual((reader.getsampwidth(), reader.getnframes()), (width, FRAMES * HOP))
                self.assert_same(reader.readframes(FRAMES * HOP), raw)
            values = [int.from_bytes(raw[i:i + width], "little", signed=True)
                      for i in range(0, len(raw), width)]
            self.assertLessEqual(max(abs(v - min(max(s * scale, -scale), scale - 1))
                                     for v, s in zip(values, reference)), 0.5 + 1e-3)
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", "--format", "float", *FAST))
        self.assertIn(reference.tobytes(), self.read("out.wav"))

    def test_seed_changes_the_output_and_nothing_else_does(self):
        self.write("in.npy", mel_bytes(SPEECH))
        first = self.samples("in.npy", "--seed", "7")
        self.assert_same(first, self.samples("in.npy", "--seed", "7"))
        self.assert_same(first, self.samples("in.npy", "--seed", "7", "--threads", "2"))
        self.assert_other(first, self.samples("in.npy", "--seed", "8"))
        self.assert_same(self.samples("in.npy"), self.samples("in.npy", "--seed", "0"))

    def test_options_reach_the_engine(self):
        self.write("in.npy", mel_bytes(SPEECH))
        base = self.samples("in.npy")
        for options in (("--steps", "3"), ("--eta", "0"), ("--refine", "5"), ("--refine-window", "1")):
            self.assert_other(base, self.assert_fine(
                self.run_lull("synth", "in.npy", "-o", "-", *FAST, *options)).out, options)

    def test_noise_from_a_file(self):
        """The generator is not used: another seed changes nothing, other noise does."""
        self.write("in.npy", mel_bytes(SPEECH))
        generator = random.Random(1)
        rows = [generator.gauss(0, 1) for _ in range(2 * FRAMES * HOP)]
        self.write("noise.npy", npy_bytes([2, FRAMES * HOP], rows))
        self.write("other.npy", npy_bytes([2, FRAMES * HOP], rows[::-1]))
        first = self.samples("in.npy", "--noise", "noise.npy", "--eta", "1")
        self.assert_same(first, self.samples("in.npy", "--noise", "noise.npy", "--eta", "1", "--seed", "9"))
        self.assert_other(first, self.samples("in.npy", "--noise", "other.npy", "--eta", "1"))
        self.write("short.npy", npy_bytes([2, HOP], rows[:2 * HOP]))
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav", "--noise", "short.npy", "--eta",
                                        "1", *FAST), "noise")

    def test_pitches_that_cannot_be(self):
        for value, words in ((-1, ["f0.npy", "frame 1 is -1 Hz", "5000"]), (5001, ["f0.npy", "frame 1 is 5001 Hz"]),
                             (7, ["f0.npy", "logarithms"])):
            self.write("f0.npy", npy_bytes([2], [0, value]))
            done = self.run_lull("synth", os.path.join(SOURCE, "audio_samples", "weasels-22k.npy"), "-m", SHIPPED, "--f0",
                                 "f0.npy", "-o", "out.wav", model=False)
            self.assert_fails(done, *words)

    def test_low_latency_and_precision(self):
        self.write("in.npy", mel_bytes(SPEECH))
        for options in (("--low-latency",), ("--precision", "f32"), ("--precision", "bf16")):
            out = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "-", *options)).out
            self.assertEqual(len(out), FRAMES * HOP * 4)


class Streams(Case):
    def test_frames_on_stdin_are_the_same_as_a_file(self):
        self.write("in.npy", mel_bytes(SPEECH))
        by_file = self.run_lull("synth", "in.npy", "-o", "-", *FAST).out
        by_stream = self.assert_fine(self.run_lull("synth", "-", "-o", "-", *FAST, stdin=raw_frames(SPEECH)))
        self.assert_same(by_file, by_stream.out)
        self.assertEqual(len(by_file), FRAMES * HOP * 4)

    def test_an_array_on_stdin(self):
        self.write("in.npy", mel_bytes(SPEECH))
        by_file = self.run_lull("synth", "in.npy", "-o", "-", *FAST).out
        self.assert_same(by_file, self.run_lull("synth", "-", "-o", "-", *FAST, stdin=mel_bytes(SPEECH)).out)

    def test_stream_to_a_file(self):
        self.assert_fine(self.run_lull("synth", "-", "-o", "out.wav", *FAST, stdin=raw_frames(SPEECH)))
        self.assertEqual(len(self.wav("out.wav")[1]), FRAMES * HOP)

    def test_wav_on_stdout(self):
        self.write("in.npy", mel_bytes(SPEECH))
        data = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "-", "--wav", *FAST)).out
        self.assertEqual((data[:4], data[8:12]), (b"RIFF", b"WAVE"))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *FAST))
        samples = self.wav("out.wav")[1].tobytes()
        self.assertTrue(data.endswith(samples))

    def test_the_mel_command_feeds_the_synth_command(self):
        # Whole hops: of a recording synth keeps the last part of one, too.
        with wave.open(RECORDING) as file, wave.open(self.path("whole.wav"), "wb") as whole:
            whole.setparams(file.getparams())
            whole.writeframes(file.readframes(file.getnframes() // 256 * 256))
        mel = self.run_lull("mel", "whole.wav", "-o", "-").out
        piped = self.assert_fine(self.run_lull("synth", "-", "-o", "-", *FAST, stdin=mel)).out
        direct = self.assert_fine(self.run_lull("synth", "whole.wav", "-o", "-", *FAST)).out
        self.assert_same(piped, direct)

    def test_another_convention_shows_after_some_frames(self):
        frames = [[v / 2.302585 for v in frame] for frame in speech_frames(60)]
        self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *FAST, stdin=raw_frames(frames)),
                          "--from log10")
        self.assertEqual(self.files(), [])

    def test_baselines_on_stdin(self):
        for options in (("--griffin-lim", "2"), ("--model", "none", "--refine", "1")):
            out = self.assert_fine(self.run_lull("synth", "-", "-o", "-", *options, stdin=raw_frames(SPEECH)))
            self.assertEqual(len(out.out), FRAMES * HOP * 4)


class Recordings(Case):
    def test_copy_synthesis(self):
        result = self.assert_fine(self.run_lull("synth", RECORDING, "-o", "out.wav", *FAST))
        self.assertNotIn("resampled", result.err)
        self.assertEqual(self.wav("out.wav")[0].framerate, 16000)

    def test_a_recording_from_a_pipe(self):
        """As from a shell's <(…): whole, with its first bytes."""
        self.assert_fine(self.run_lull("synth", RECORDING, "-o", "file.wav", *FAST))
        reader, writer = os.pipe()
        with open(RECORDING, "rb") as file:
            data = file.read()
        feeder = threading.Thread(target=lambda: (os.write(writer, data[:1000]), os.write(writer, data[1000:]),
                                                  os.close(writer)))
        feeder.start()
        result = self.run_lull("synth", "/dev/fd/%d" % reader, "-o", "pipe.wav", *FAST, pass_fds=[reader])
        os.close(reader)
        feeder.join()
        self.assert_fine(result)
        self.assert_same(self.read("pipe.wav"), self.read("file.wav"))

    def test_resampling_and_mixing_are_said(self):
        shutil.copy(RECORDING, self.path("mono.wav"))
        params, samples = self.wav("mono.wav")
        self.write("stereo.wav", wav_bytes([s for v in samples for s in (v, v)], 22050, 2))
        result = self.assert_fine(self.run_lull("synth", "stereo.wav", "-o", "out.wav", *FAST))
        self.assertIn("2 channels mixed to one, 22050 Hz resampled to 16000 Hz", result.err)
        quiet = self.run_lull("synth", "stereo.wav", "-o", "out.wav", "--quiet", *FAST)
        self.assertEqual(quiet.err, "")

    def test_default_names(self):
        shutil.copy(RECORDING, self.path("voice.wav"))
        self.write("in/mel.npy", mel_bytes(SPEECH))
        self.assert_fine(self.run_lull("synth", "voice.wav", *FAST))
        self.assert_fine(self.run_lull("synth", "in/mel.npy", *FAST))
        self.assertEqual(self.files(), ["in/mel.npy", "mel.wav", "voice-lull.wav", "voice.wav"])


class Folders(Case):
    def setUp(self):
        super().setUp()
        for name in ("b", "a", "c"):
            self.write("in/%s.npy" % name, mel_bytes(SPEECH))
        self.write("in/notes.txt", b"not an input")
        self.write("in/.hidden.npy", b"")
        os.mkdir(self.path("out"))

    def outputs(self):
        return sorted(os.listdir(self.path("out")))

    def test_a_folder(self):
        result = self.assert_fine(self.run_lull("synth", "in", "-o", "out", *FAST))
        self.assertEqual(self.outputs(), ["a.wav", "b.wav", "c.wav"])
        self.assertIn("3 of 3 files", result.err)

    def test_pipes_in_a_folder_are_passed_over(self):
        os.mkfifo(self.path("in", "p.npy"))
        os.mkfifo(self.path("in", "q.wav"))
        self.assert_fine(self.run_lull("synth", "in", "-o", "out", *FAST, timeout=60))
        self.assertEqual(self.outputs(), ["a.wav", "b.wav", "c.wav"])

    def test_jobs_give_the_same_files(self):
        self.assert_fine(self.run_lull("synth", "in", "-o", "out", *FAST))
        one = [self.read("out/%s.wav" % name) for name in "abc"]
        self.assert_fine(self.run_lull("synth", "in", "-o", "out", "--jobs", "3", *FAST))
        self.assert_same(one, [self.read("out/%s.wav" % name) for name in "abc"])

    def test_skip_existing(self):
        self.write("out/b.wav", b"precious")
        self.assert_fine(self.run_lull("synth", "in", "-o", "out", "--skip-existing", *FAST))
        self.assertEqual(self.outputs(), ["a.wav", "b.wav", "c.wav"])
        self.assertEqual(self.read("out/b.wav"), b"precious")

    def test_existing_outputs_are_replaced(self):
        self.write("out/b.wav", b"old")
        self.assert_fine(self.run_lull("synth", "in", "-o", "out", "--force", *FAST))
        self.assert_same(self.read("out/a.wav"), self.read("out/b.wav"))

    def test_quiet(self):
        result = self.assert_fine(self.run_lull("synth", "in", "-o", "out", "-q", *FAST))
        self.assertEqual((result.err, result.out), ("", b""))

    def test_interrupted_leaves_nothing_behind(self):
        import signal
        import subprocess
        self.write("long.npy", mel_bytes(speech_frames(70) * 300))
        with subprocess.Popen([harness.PROGRAM, "synth", "long.npy", "-o", "out/long.wav", "-m",
                               harness.MODEL, "--refine", "50"], cwd=self.folder,
                              stderr=subprocess.PIPE) as child:
            deadline = time.monotonic() + 20
            while not os.listdir(self.path("out")) and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertTrue(os.listdir(self.path("out")), "no temporary file appeared")
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            err = child.stderr.read().decode()
        self.assertEqual(child.returncode, 130, err)
        self.assertIn("interrupted", err)
        self.assertEqual(self.outputs(), [])

    def test_griffin_lim_is_interrupted_between_iterations(self):
        import signal
        import subprocess
        self.write("long.npy", mel_bytes(speech_frames(70)))
        with subprocess.Popen([harness.PROGRAM, "synth", "long.npy", "-o", "out/long.wav", "-m", harness.MODEL,
                               "--griffin-lim", "100000"], cwd=self.folder, stderr=subprocess.PIPE) as child:
            deadline = time.monotonic() + 20
            while not os.listdir(self.path("out")) and time.monotonic() < deadline:
                time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            err = child.stderr.read().decode()
        self.assertEqual(child.returncode, 130, err)
        self.assertEqual(self.outputs(), [])


class Terminal(Case):
    def test_progress_with_time_left_and_speed(self):
        import pty
        import subprocess
        self.write("long.npy", mel_bytes(speech_frames(70) * 300))
        ours, theirs = pty.openpty()
        with subprocess.Popen([harness.PROGRAM, "synth", "long.npy", "-o", "out.wav", "-m", harness.MODEL,
                               "--refine", "50"], cwd=self.folder, stderr=theirs) as child:
            os.close(theirs)
            seen = b""
            deadline = time.monotonic() + 60
            while b"times real time" not in seen and time.monotonic() < deadline:
                seen += os.read(ours, 4096)
            child.terminate()
            with self.assertRaises(OSError):  # the terminal ends with the program
                while True:
                    os.read(ours, 4096)
        os.close(ours)
        self.assertRegex(seen.decode(), r"synth \[[#.]+\] +\d+ %  [\d:]+ left  [\d.]+ s of audio, [\d.]+ times")
        self.assertEqual(child.returncode, 130)
        self.assertEqual(self.files(), ["long.npy"])


class Trace(Case):
    def setUp(self):
        super().setUp()
        self.write("in.npy", mel_bytes(SPEECH))

    def test_every_step(self):
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", "--trace", "steps", "--steps", "3",
                                       "--refine", "0"))
        with open(self.path("steps", "steps.json")) as file:
            steps = json.load(file)["steps"]
        self.assertEqual(len(steps), 4)
        times = [step["time"] for step in steps[:-1]]
        self.assertEqual(times, sorted(times))
        named = [step[key] for step in steps for key in ("x", "x0", "forward") if key in step]
        self.assertEqual(len(named), 3 * 3 + 1)
        pictures = [name.replace(".wav", ".png") for name in named]
        self.assertEqual(sorted(os.listdir(self.path("steps"))),
                         sorted(named + pictures + ["index.html", "output.png", "output.wav", "steps.json"]))
        page = self.read("steps/index.html").decode()
        for name in named + pictures + ["output.wav", "output.png"]:
            self.assertIn('src="%s"' % name, page)
        for name in pictures:
            self.assert_same(self.read("steps/" + name)[:4], b"\x89PNG")
        signals = [self.wav("steps/" + step["x"])[1] for step in steps]
        self.assertEqual({len(signal) for signal in signals}, {FRAMES * HOP})
        # Without refinement the last signal is what came out (two overlap-adds differ by rounding).
        out = self.wav("out.wav")[1]
        self.assertLessEqual(max(abs(a - b) for a, b in zip(signals[-1], out)), 3)
        self.assertGreater(max(abs(a - b) for a, b in zip(signals[0], out)), 100)
        self.assert_same(self.wav("steps/output.wav")[1], out)

    def test_the_output_is_the_same(self):
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "with.wav", "--trace", "steps", *FAST))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "without.wav", *FAST))
        self.assert_same(self.read("with.wav"), self.read("without.wav"))

    def test_several_inputs(self):
        self.write("a & b.npy", mel_bytes(SPEECH))
        os.mkdir(self.path("out"))
        self.assert_fine(self.run_lull("synth", "in.npy", "a & b.npy", "-o", "out", "--trace", "t", *FAST))
        page = self.read("t/index.html").decode()
        self.assertIn('<a href="in/index.html">in</a>', page)
        self.assertIn('<a href="a%20%26%20b/index.html">a &amp; b</a>', page)
        self.assertIn("a &amp; b.npy</h1>", self.read("t/a & b/index.html").decode())

    def test_the_numbers_are_those_that_ran(self):
        """Every signal follows from the one before by the coefficients in steps.json (colouring is linear)."""
        for sampler, eta in (("ddim", "0"), ("euler", "0")):
            folder = "steps-" + sampler
            self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", "--trace", folder, "--steps", "3",
                                           "--sampler", sampler, "--eta", eta))
            with open(self.path(folder, "steps.json")) as file:
                steps = json.load(file)["steps"]
            for step, after in zip(steps, steps[1:]):
                x, x0, wanted = (self.wav(os.path.join(folder, name))[1]
                                 for name in (step["x"], step["x0"], after["x"]))
                a, s, factors = step["speech_level"], step["noise_level"], step["next"]
                self.assertEqual(factors["noise"], 0)
                self.assertAlmostEqual(a * a + s * s, 1, 6)
                for i in range(0, len(x), 11):
                    if max(abs(x[i]), abs(x0[i]), abs(wanted[i])) > 32000:
                        continue  # clipped
                    u = (x0[i] - a * x[i]) / s  # this model's objective is v: x0 = a·x + s·u
                    self.assertAlmostEqual(factors["x"] * x[i] + factors["u"] * u, wanted[i], delta=6)

    def test_what_cannot_be_traced(self):
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav", "--trace", "no/steps", *FAST),
                          "no/steps")
        self.assertEqual(self.files(), ["in.npy"])
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav", "--trace", "s", "--model", "none"),
                          "--trace", code=2)


class Plot(Case):
    def test_picture_beside_the_output(self):
        self.write("in.npy", mel_bytes(SPEECH))
        os.mkdir(self.path("out"))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "with.wav", "--plot", *FAST))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "without.wav", *FAST))
        self.assert_same(self.read("with.wav"), self.read("without.wav"))
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out", "--plot", "--griffin-lim", "4"))
        self.assertEqual(self.files(), ["in.npy", "out/in.png", "out/in.wav", "with.png", "with.wav", "without.wav"])
        for name in ("with.png", "out/in.png"):
            self.assert_same(self.read(name)[:4], b"\x89PNG")

    def test_not_on_a_pipe(self):
        self.write("in.npy", mel_bytes(SPEECH))
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "-", "--plot"), "--plot", code=2)


class Baselines(Case):
    def setUp(self):
        super().setUp()
        self.write("in.npy", mel_bytes(SPEECH))

    def test_no_network(self):
        result = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "none.wav", "--model", "none",
                                                "--convention", "hifigan-16k", model=False))
        params, samples = self.wav("none.wav")
        self.assertEqual((params.framerate, len(samples)), (16000, FRAMES * HOP))
        self.assertGreater(max(abs(s) for s in samples), 500)
        more = self.run_lull("synth", "in.npy", "-o", "more.wav", "--model", "none", "--refine", "3")
        self.assert_fine(more)
        self.assert_other(self.read("more.wav"), self.read("none.wav"))

    def test_griffin_lim(self):
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", "--griffin-lim", "8"))
        params, samples = self.wav("out.wav")
        self.assertEqual((params.framerate, len(samples)), (16000, FRAMES * HOP))
        self.assertGreater(max(abs(s) for s in samples), 500)

    def test_the_rate_of_a_named_convention(self):
        self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", "--griffin-lim", "2", "-c",
                                       "hifigan"))
        self.assertEqual(self.wav("out.wav")[0].framerate, 22050)


class Samples(Case):
    def test_the_shipped_samples(self):
        """audio_samples/*.npy, as tools/demo.sh synthesizes them: the shipped model reads each in its own convention."""
        folder = os.path.join(SOURCE, "audio_samples")
        for ending, rate in (("-16k.npy", 16000), ("-22k.npy", 22050)):
            names = [name for name in os.listdir(folder) if name.endswith(ending)]
            self.assertTrue(names)
            for name in names:
                result = self.assert_fine(self.run_lull("synth", os.path.join(folder, name), "-o", "out.wav", model=False))
                self.assertNotIn("by default", result.err)
                params, samples = self.wav("out.wav")
                self.assertEqual(params.framerate, rate)
                self.assertEqual(len(samples), read_npy(os.path.join(folder, name))[0][1] * HOP)

    def test_each_by_what_is_beside_it(self):
        """Inputs of several conventions at once become what each becomes alone, whatever is first."""
        folder = os.path.join(SOURCE, "audio_samples")
        arrays = ["weasels-16k.npy", "password-22k.npy", "password-16k.npy"]
        for name in arrays:
            shutil.copy(os.path.join(folder, name), self.path(name))
            shutil.copy(os.path.join(folder, name + ".json"), self.path(name + ".json"))
        self.write("none.npy", mel_bytes(SPEECH))
        shutil.copy(os.path.join(folder, "weasels.wav"), self.path("voice.wav"))
        names = arrays + ["none.npy", "voice.wav"]
        alone = {}
        for name in names:
            self.assert_fine(self.run_lull("synth", name, "-o", "alone.wav", *FAST, model=False))
            alone[name] = self.read("alone.wav")
        for order, jobs in ((names, "1"), (names[::-1], "1"), (names, "3")):
            result = self.assert_fine(self.run_lull("synth", *order, "-o", "out", "-j", jobs, *FAST, model=False))
            self.assertIn("2 of 5 inputs read as 'hifigan-16k' (16000 Hz, hop 256)", result.err)
            self.assertIn("3 of 5 inputs read as 'hifigan", result.err)
            self.assertIn("none.npy: read as 'hifigan' (22050 Hz, hop 256) by default", result.err)
            self.assertIn("5 of 5 files done", result.err)
            for name in names:
                self.assert_same(alone[name], self.read("out/%s.wav" % name.split(".")[0]), name)

    def test_one_that_cannot_be_read_leaves_the_others(self):
        for name in "a", "b":
            self.write(name + ".npy", mel_bytes(SPEECH))
        self.write("a.npy.json", b'{"convention": "hifigan-17k"}')
        self.write("b.npy.json", b'{"convention": "hifigan-16k"}')
        result = self.run_lull("synth", "a.npy", "b.npy", "-o", "out", "-q", *FAST, model=False)
        self.assert_fails(result, "a.npy.json", "hifigan-17k")
        self.assertEqual(self.wav("out/b.wav")[0].framerate, 16000)
        self.assertFalse(os.path.exists(self.path("out/a.wav")))

    def test_the_shipped_folder(self):
        """Every array and recording of audio_samples, in one go."""
        folder = os.path.join(SOURCE, "audio_samples")
        self.assert_fine(self.run_lull("synth", folder, "-o", "out", *FAST, model=False))
        for name in "weasels", "weasels-16k", "weasels-22k", "password", "password-16k", "password-22k":
            self.assertEqual(self.wav("out/%s.wav" % name)[0].framerate, 16000 if "16k" in name else 22050)

    def test_what_nobody_said_is_remarked_on(self):
        """An array without a .json is read as the shipped model's, at its rate, and a line says so."""
        self.write("in.npy", mel_bytes(SPEECH))
        said = "in.npy: read as 'hifigan' (22050 Hz, hop 256) by default: neither -c"
        for words in ((), ("--model", "none"), ("--griffin-lim", "1")):
            result = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *FAST, *words, model=False))
            self.assertIn(said, result.err)
            self.assertEqual(self.wav("out.wav")[0].framerate, 22050)
        for words, model in ((("-c", "hifigan-16k"), False), (("-q",), False), ((), True), (("-m", SHIPPED), False)):
            result = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *FAST, *words, model=model))
            self.assertNotIn("by default", result.err)
        self.write("in.npy.json", b'{"convention": "hifigan-16k"}')
        result = self.assert_fine(self.run_lull("synth", "in.npy", "-o", "out.wav", *FAST, model=False))
        self.assertNotIn("by default", result.err)
        self.assertEqual(self.wav("out.wav")[0].framerate, 16000)


if __name__ == "__main__":
    harness.main()
