"""lull mel: recordings to spectrograms."""

import array
import math
import os
import shutil

import harness
from harness import BANDS, GOLDENS, Case, npy_bytes, read_npy, wav_bytes

TOLERANCE = 1e-4


class Mel(Case):
    def golden(self, name, rate):
        return (os.path.join(GOLDENS, "mel", "speech_%d.wav" % rate),
                os.path.join(GOLDENS, "mel", "mel_%s_%d.npy" % (name, rate)))

    def assert_near(self, name, golden, magnitude=math.exp):
        (shape, values), (wanted_shape, wanted) = read_npy(self.path(name)), read_npy(golden)
        self.assertEqual(shape, wanted_shape)
        # Logarithms within 1e-4; far below the loudest band, where float32 rounds, magnitudes within 1e-6.
        for a, b in zip(values, wanted):
            if abs(a - b) >= TOLERANCE:
                self.assertLess(abs(magnitude(a) - magnitude(b)), 1e-6)

    def test_every_convention_against_its_golden(self):
        for name, rate in (("hifigan", 16000), ("hifigan", 22050), ("tacotron2", 22050), ("diffwave", 22050),
                           ("parallelwavegan", 24000)):
            recording, golden = self.golden(name, rate)
            self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy", "-c", name, "--rate", str(rate),
                                           model=False))
            self.assert_near("out.npy", golden, {"diffwave": lambda v: 10 ** (5 * v - 4),
                                                 "parallelwavegan": lambda v: 10 ** v}.get(name, math.exp))

    def test_the_models_convention_is_the_default(self):
        recording, golden = self.golden("hifigan", 16000)
        self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy"))
        self.assert_near("out.npy", golden)

    def test_frames_first(self):
        recording, golden = self.golden("hifigan", 16000)
        self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy", "--layout", "frames-first"))
        (n, bands), values = read_npy(self.path("out.npy"))
        (_, wanted_n), wanted = read_npy(golden)
        self.assertEqual((n, bands), (wanted_n, BANDS))
        self.assertLess(max(abs(values[f * bands + b] - wanted[b * n + f])
                            for f in range(n) for b in range(bands)), TOLERANCE)

    def test_pitch_beside_the_mel(self):
        recording, _ = self.golden("hifigan", 22050)
        self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy", "--f0", "f0.npy", "-c", "hifigan",
                                       "--rate", "22050", model=False))
        (_, n), _ = read_npy(self.path("out.npy"))
        shape, f0 = read_npy(self.path("f0.npy"))
        self.assertEqual(tuple(shape), (n,))
        voiced = [x for x in f0 if x]
        self.assertTrue(n / 4 < len(voiced) < n and all(60 <= x <= 650 for x in voiced))
        other, _ = self.golden("hifigan", 16000)
        self.assert_fails(self.run_lull("mel", recording, other, "-o", ".", "--f0", "f0.npy"), "--f0", code=2)

    def test_raw_frames_on_stdout(self):
        recording, _ = self.golden("hifigan", 16000)
        raw = self.assert_fine(self.run_lull("mel", recording, "-o", "-")).out
        self.run_lull("mel", recording, "-o", "out.npy", "--layout", "frames-first")
        self.assertEqual(array.array("f", raw), read_npy(self.path("out.npy"))[1])

    def test_resampling_and_mixing_are_said(self):
        recording, golden = self.golden("hifigan", 22050)
        result = self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy"))
        self.assertIn("resampled from 22050 Hz to 16000 Hz", result.err)
        params, samples = self.stereo(recording)
        result = self.assert_fine(self.run_lull("mel", "stereo.wav", "-o", "stereo.npy", "-c", "hifigan"))
        self.assertIn("2 channels mixed to one", result.err)
        self.assert_near("stereo.npy", golden)
        result = self.assert_fine(self.run_lull("mel", "stereo.wav", "-o", "stereo.npy", "--quiet"))
        self.assertEqual(result.err, "")

    def stereo(self, recording):
        shutil.copy(recording, self.path("mono.wav"))
        params, samples = self.wav("mono.wav")
        both = [s for sample in samples for s in (sample, sample)]
        self.write("stereo.wav", wav_bytes(both, params.framerate, 2))
        return params, samples

    def test_settings_of_a_convention(self):
        recording, _ = self.golden("hifigan", 22050)
        self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy", "-c", "hifigan", "--bands", "100",
                                       "--fmax", "10000", "--n-fft", "2048", "--hop", "512"))
        frames = read_npy(self.path("out.npy"))[0][1]
        default = read_npy(self.golden("hifigan", 22050)[1])[0][1]
        self.assertEqual(read_npy(self.path("out.npy"))[0][0], 100)
        self.assertLessEqual(abs(frames - default / 2), 1)

    def test_statistics(self):
        recording, golden = self.golden("parallelwavegan", 24000)
        self.write("statistics.npy", npy_bytes([2, BANDS], [0.5] * BANDS + [2.0] * BANDS))
        self.assert_fine(self.run_lull("mel", recording, "-o", "out.npy", "-c", "parallelwavegan",
                                       "--statistics", "statistics.npy"))
        values, wanted = read_npy(self.path("out.npy"))[1], read_npy(golden)[1]
        self.assertLess(max(abs(a - (b - 0.5) / 2.0) for a, b in zip(values, wanted)), TOLERANCE)

    def test_settings_that_make_no_sense(self):
        recording, _ = self.golden("hifigan", 16000)
        self.assert_fails(self.run_lull("mel", recording, "-c", "unheard-of"), "unheard-of")
        self.assert_fails(self.run_lull("mel", recording, "-c", "hifigan", "--hop", "4096"))
        self.assert_fails(self.run_lull("mel", recording, "-c", "hifigan", "--fmin", "9000"))
        self.write("statistics.npy", npy_bytes([2, 3], [1.0] * 6))
        self.assert_fails(self.run_lull("mel", recording, "--statistics", "statistics.npy"), "[2, 80]")
        self.write("statistics.npy", npy_bytes([2, BANDS], [0.0] * 2 * BANDS))
        self.assert_fails(self.run_lull("mel", recording, "--statistics", "statistics.npy"), "deviation")
        self.assertEqual(self.files(), ["statistics.npy"])

    def test_output_names(self):
        recording, _ = self.golden("hifigan", 16000)
        os.mkdir(self.path("in"))
        os.mkdir(self.path("out"))
        shutil.copy(recording, self.path("in", "one.wav"))
        shutil.copy(recording, self.path("in", "two.wav"))
        self.write("in/notes.txt", b"not a recording")
        self.assert_fine(self.run_lull("mel", "in/one.wav"))
        self.assert_fine(self.run_lull("mel", "in/one.wav", "-o", "out/"))
        self.assert_fine(self.run_lull("mel", "in", "-o", "out"))
        self.assertEqual(self.files(), ["in/notes.txt", "in/one.wav", "in/two.wav", "one.npy", "one.npy.json",
                                        "out/one.npy", "out/one.npy.json", "out/two.npy", "out/two.npy.json"])

    def test_a_short_recording(self):
        self.write("short.wav", wav_bytes([3000, -3000] * 200))
        self.assert_fine(self.run_lull("mel", "short.wav", "-o", "out.npy"))
        self.assertEqual(read_npy(self.path("out.npy"))[0], (BANDS, 1))


if __name__ == "__main__":
    harness.main()
