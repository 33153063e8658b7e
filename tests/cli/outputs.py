"""Outputs: nothing of the user's is replaced, names say what a file is, headers say how long it is."""

import io
import os
import signal
import struct
import subprocess
import time
import wave

import harness
from harness import HOP, MODEL, PROGRAM, Case, changed_model, frames_first, mel_bytes, postnet_off_in_low_latency, speech_frames
from harness import wav_bytes

FRAMES = 6
QUICK = ["-n", "1", "-r", "1", "--refine-window", "1"]


def raw_bytes(frames):
    values = frames_first(frames)
    return struct.pack("<%df" % len(values), *values)


class Kept(Case):
    """A name that nobody typed never replaces what lull did not write."""

    def setUp(self):
        super().setUp()
        self.mel = mel_bytes(speech_frames(FRAMES))
        self.write("v.npy", self.mel)

    def kept(self, name, data, *words, says=("-o", "--force")):
        self.write(name, data)
        before = self.files()
        self.assert_fails(self.run_lull(*words), name, "lull did not write it", *says)
        self.assert_same(self.read(name), data)
        self.assertEqual(self.files(), before)

    def test_a_recording_is_not_replaced_by_its_copy(self):
        self.kept("v.wav", wav_bytes([100, -100] * 2000), "synth", "v.npy", *QUICK)
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "--force"))
        self.assertEqual(self.wav("v.wav")[0].nframes, FRAMES * HOP)
        # Now it is lull's own: again without --force, to the same bytes.
        first = self.read("v.wav")
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK))
        self.assert_same(self.read("v.wav"), first)

    def test_a_typed_name_is_believed(self):
        self.write("v.wav", b"anything")
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", "v.wav"))

    def test_in_a_folder_too_and_before_any_work(self):
        self.write("in/a.npy", self.mel)
        self.write("in/b.npy", self.mel)
        self.write("out/b.wav", b"mine")
        self.assert_fails(self.run_lull("synth", "in", *QUICK, "-o", "out"), "out/b.wav")
        self.assertEqual(self.read("out/b.wav"), b"mine")
        self.assertFalse(os.path.exists(self.path("out", "a.wav")))
        self.assert_fine(self.run_lull("synth", "in", *QUICK, "-o", "out", "--skip-existing"))
        self.assertEqual(self.read("out/b.wav"), b"mine")

    def test_arrays(self):
        self.write("w.wav", wav_bytes([1000, -1000] * 2000))
        self.kept("w.npy", self.mel, "mel", "w.wav")
        self.assert_fine(self.run_lull("mel", "w.wav", "--force"))
        self.assert_fine(self.run_lull("mel", "w.wav"))

    def test_pictures(self):
        self.kept("v.png", b"\x89PNG\r\n\x1a\n a photograph", "plot", "v.npy")
        self.assert_fine(self.run_lull("plot", "v.npy", "--force"))
        self.assert_fine(self.run_lull("plot", "v.npy"))
        self.kept("x.png", b"mine", "synth", "v.npy", *QUICK, "-o", "x.wav", "--plot")

    def test_pages(self):
        self.kept("steps/index.html", b"<html>my page</html>", "synth", "v.npy", *QUICK, "-o", "x.wav", "-T", "steps")
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", "x.wav", "-T", "steps", "--force"))
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", "x.wav", "-T", "steps"))
        self.write("one.wav", wav_bytes([1000, -900] * 8000))
        self.write("page.html", b"<html>my page</html>")
        self.assert_fails(self.run_lull("eval", "one.wav", "one.wav", "--html", "page.html"), "page.html", "--force")
        self.assertEqual(self.read("page.html"), b"<html>my page</html>")
        self.assert_fine(self.run_lull("eval", "one.wav", "one.wav", "--html", "page.html", "--force"))
        self.assert_fine(self.run_lull("eval", "one.wav", "one.wav", "--html", "page.html"))

    def test_folders_are_made(self):
        self.write("w.npy", self.mel)
        self.assert_fine(self.run_lull("synth", "v.npy", "w.npy", *QUICK, "-o", "new/deep"))
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", "other/"))
        self.assertIn("new/deep/w.wav", self.files())
        self.assertIn("other/v.wav", self.files())

    def test_a_hangup_leaves_nothing(self):
        environment = dict(os.environ, LULL_MODEL=MODEL)
        running = subprocess.Popen([PROGRAM, "synth", "-", *QUICK, "-o", "x.wav"], stdin=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.folder, env=environment,
                                   # Under nohup it would stay ignored.
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        running.stdin.write(raw_bytes(speech_frames(FRAMES)))
        running.stdin.flush()
        deadline = time.monotonic() + 60
        while self.files() == ["v.npy"] and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertNotEqual(self.files(), ["v.npy"])
        time.sleep(0.3)
        running.send_signal(signal.SIGHUP)
        _, said = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130, said)
        self.assertEqual(self.files(), ["v.npy"])


class Formats(Case):
    def setUp(self):
        super().setUp()
        self.write("v.npy", mel_bytes(speech_frames(FRAMES)))

    def test_the_name_says_the_format(self):
        for name, begins in (("x.flac", b"fLaC"), ("x.ogg", b"OggS"), ("x.opus", b"OggS"), ("x.mp3", None),
                             ("x.WAV", b"RIFF"), ("x", b"RIFF")):
            result = self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", name))
            data = self.read(name)
            if begins:
                self.assertEqual(data[:4], begins, name)
            else:
                self.assertTrue(data[:3] == b"ID3" or data[0] == 0xFF, data[:4])
            # What it is can be read again, as long as it should be.
            self.assert_fine(self.run_lull("mel", name, "-o", "back.npy"))
            (_, n), _ = harness.read_npy(self.path("back.npy"))
            self.assertLessEqual(abs(n - FRAMES), 6, name)
            self.assertIn(name, result.err)
        self.assertIn(b"OpusHead", self.read("x.opus"))

    def test_flac_has_the_samples_of_wav(self):
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", "x.wav"))
        self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "-o", "x.flac"))
        self.assert_fine(self.run_lull("mel", "x.wav", "-o", "wav.npy"))
        self.assert_fine(self.run_lull("mel", "x.flac", "-o", "flac.npy"))
        self.assert_same(self.read("wav.npy"), self.read("flac.npy"))

    def test_refusals(self):
        for name, says in (("x.m4a", ".m4a"), ("x.npy", ".npy"), ("x.aiff", ".aiff")):
            self.assert_fails(self.run_lull("synth", "v.npy", *QUICK, "-o", name), name, says, ".flac", code=2)
        self.assert_fails(self.run_lull("synth", "v.npy", *QUICK, "-o", "x.mp3", "-f", "pcm24"), "--format", code=2)
        self.write("r.wav", wav_bytes([100] * 20000))
        for words, says in ((("mel", "r.wav", "-o", "x.wav"), ".npz"), (("plot", "r.wav", "-o", "x.jpg"), ".png"),
                            (("mel", "r.wav", "--f0", "x.csv", "-o", "m.npy"), ".npy"),
                            (("mel", "r.wav", "--estimate-statistics", "-o", "x.txt"), ".json"),
                            (("eval", "r.wav", "r.wav", "--html", "x.png"), ".html")):
            result = self.run_lull(*words)
            self.assertNotEqual(result.code, 0)
            self.assertIn(says, result.err)
        os.remove(self.path("r.wav"))
        self.assert_fails(self.run_lull("synth", "v.npy", *QUICK, "-o", "x.flac", "-f", "float"), "pcm16 or pcm24")
        self.assert_fails(self.run_lull("synth", "v.npy", "--model", "none", "--rate", "22050", "-r", "1",
                                        "-o", "x.opus"), "22050", "48000")
        self.assertEqual(self.files(), ["v.npy"])


class Headers(Case):
    def setUp(self):
        super().setUp()
        self.frames = speech_frames(FRAMES)
        self.write("v.npy", mel_bytes(self.frames))

    def sizes(self, data):
        """What RIFF and data say, and the bytes behind each."""
        at = data.index(b"data", 12)
        return (struct.unpack("<I", data[4:8])[0], len(data) - 8,
                struct.unpack("<I", data[at + 4:at + 8])[0], len(data) - at - 8)

    def test_a_known_length_is_said_on_a_pipe(self):
        data = self.assert_fine(self.run_lull("synth", "v.npy", *QUICK, "--wav", "-o", "-")).out
        riff, behind_riff, body, behind_data = self.sizes(data)
        self.assertEqual((riff, body), (behind_riff, behind_data))
        self.assertEqual(body, 2 * FRAMES * HOP)

    def test_a_stream_says_that_it_does_not_know(self):
        data = self.assert_fine(self.run_lull("synth", "-", *QUICK, "--wav", "-o", "-",
                                              stdin=raw_bytes(self.frames))).out
        self.assertEqual(self.sizes(data)[0::2], (0xFFFFFFFF, 0xFFFFFFFF))
        with wave.open(io.BytesIO(data)) as reader:
            self.assertEqual(len(reader.readframes(1 << 20)), 2 * FRAMES * HOP)

    def test_a_file_behind_standard_output_is_completed(self):
        for stdin, source in ((raw_bytes(self.frames), "-"), (b"", "v.npy")):
            with open(self.path("out.wav"), "wb") as out:
                self.assert_fine(self.run_lull("synth", source, *QUICK, "--wav", "-o", "-", stdin=stdin, stdout=out))
            parameters, samples = self.wav("out.wav")
            self.assertEqual(parameters.nframes, FRAMES * HOP)
            self.assertEqual(len(samples), FRAMES * HOP)
            # Behind something else, too.
            with open(self.path("two"), "wb") as out:
                out.write(b"before")
                out.flush()
                self.assert_fine(self.run_lull("synth", source, *QUICK, "--wav", "-o", "-", stdin=stdin, stdout=out))
            data = self.read("two")
            self.assertEqual(data[:10], b"beforeRIFF")
            with wave.open(io.BytesIO(data[6:])) as reader:
                self.assertEqual(reader.getnframes(), FRAMES * HOP)

    def test_a_recording_on_standard_input(self):
        recording = wav_bytes([int(3000 * ((i * 37) % 101 - 50) / 50) for i in range(16000)])
        self.write("w.wav", recording)
        self.assert_fine(self.run_lull("mel", "w.wav", "-o", "file.npy"))
        self.assert_fine(self.run_lull("mel", "-", "-o", "pipe.npy", stdin=recording))
        self.assert_same(self.read("file.npy"), self.read("pipe.npy"))
        self.assert_fine(self.run_lull("synth", "w.wav", "--live", *QUICK, "-o", "file.wav"))
        self.assert_fine(self.run_lull("synth", "-", *QUICK, "-o", "pipe.wav", stdin=recording))
        self.assert_same(self.read("file.wav"), self.read("pipe.wav"))
        self.assert_fails(self.run_lull("mel", "-", "-o", "x.npy", stdin=b""), "standard input")
        self.assert_fails(self.run_lull("mel", "-", stdin=recording), "-o", code=2)


class Remarks(Case):
    def test_settings_say_what_they_drop(self):
        self.write("v.npy", mel_bytes(speech_frames(FRAMES)))
        self.write("m.safetensors", changed_model(postnet_off_in_low_latency))
        words = ["synth", "v.npy", "-m", "m.safetensors", "-c", "hifigan-16k", "-o", "x.wav"]
        said = self.assert_fine(self.run_lull(*words, "--low-latency")).err
        self.assertIn("postnet", said)
        self.assertIn("--postnet on", said)
        for more in (["--low-latency", "--postnet", "on"], ["--low-latency", "--postnet", "off"], ["--live"],
                     ["--low-latency", "-q"]):
            self.assertNotIn("postnet", self.assert_fine(self.run_lull(*words, *more)).err)
        said = self.assert_fine(self.run_lull("synth", "v.npy", "-r", "0", "-n", "1", "-o", "x.wav")).err
        self.assertIn("too quiet", said)
        said = self.assert_fine(self.run_lull("synth", "v.npy", "-r", "1", "-n", "1", "-o", "x.wav")).err
        self.assertNotIn("too quiet", said)


if __name__ == "__main__":
    harness.main()
