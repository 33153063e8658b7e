"""lull synth --trace: its page in a browser."""

import unittest

import browser
import harness
from harness import Case, mel_bytes, speech_frames


@unittest.skipIf(browser.CHROMIUM is None, "no Chromium here")
class Page(Case):
    def look(self, steps, *words):
        self.write("in & out.npy", mel_bytes(speech_frames(20)))
        self.assert_fine(self.run_lull("synth", "in & out.npy", "-o", "out.wav", "--trace", "t", "--steps", str(steps),
                                       *words))
        seen = browser.look(self.path("t", "index.html"))
        self.assertEqual(seen["errors"], [])
        self.assertEqual(seen["title"], "From noise to speech: in & out.npy")
        self.assertLessEqual(seen["wide"], 0)
        for width, height in seen["pictures"]:
            self.assertEqual(width, 600)
            self.assertGreater(height, 200)
        for seconds in seen["sounds"]:
            self.assertAlmostEqual(seconds, 20 * 256 / 16000, 2)
        self.assertEqual(len(seen["pictures"]), len(seen["sounds"]))
        self.assertNotIn("nan", seen["text"])
        self.assertNotIn("-0.000", seen["text"])
        return seen

    def test_fresh_noise(self):
        seen = self.look(4)
        # The forward strip (5), x and x0 of every step, before and after refinement.
        self.assertEqual(len(seen["pictures"]), 5 + 2 * 4 + 2)
        self.assertIn("Step 4 of 4", seen["text"])
        self.assertIn("φ = t·90°", seen["text"])
        self.assertIn("x  ← 0.707·x̂0 + 0.707·fresh noise", seen["text"])
        self.assertIn("it is the end result", seen["text"])

    def test_heun(self):
        seen = self.look(2, "--sampler", "heun", "--refine", "0")
        self.assertIn("Step 3 of 3", seen["text"])
        self.assertIn("carry ←", seen["text"])
        self.assertIn("without any new noise", seen["text"])


if __name__ == "__main__":
    harness.main()
