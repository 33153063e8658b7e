"""lull info: what a model is."""

import json

import harness
from harness import MODEL, Case, frames_first, speech_frames


class Info(Case):
    def test_text(self):
        out = self.assert_fine(self.run_lull("info", MODEL)).out.decode()
        for words in ("lull-speech-16k", "hifigan: 16000 Hz, 80 bands", "licence", "latency", "low latency",
                      "training"):
            self.assertIn(words, out)

    def test_the_default_model(self):
        self.assertEqual(self.run_lull("info").out, self.run_lull("info", MODEL).out)
        self.assertEqual(self.run_lull("info", "-m", MODEL, env={"LULL_MODEL": "nowhere"}).out,
                         self.run_lull("info", MODEL).out)
        self.assert_fails(self.run_lull("info", env={"LULL_MODEL": "nowhere"}), "nowhere")
        self.assert_fine(self.run_lull("info", model=False))

    def test_json(self):
        facts = json.loads(self.assert_fine(self.run_lull("info", "--json", MODEL)).out)
        self.assertEqual(facts["sample_rate"], 16000)
        self.assertEqual(facts["bands"], 80)
        self.assertEqual(facts["hop"], 256)
        self.assertEqual(facts["convention"], "hifigan")
        self.assertGreater(facts["parameters"], 1e6)
        self.assertIn("audio_seconds", facts["training"])
        for settings in (facts["live"], facts["low_latency"], facts["offline"]):
            self.assertGreater(settings["flops_per_second"], 1e8)
            self.assertAlmostEqual(settings["latency_ms"], settings["latency_samples"] / 16.0, places=6)
            parts = settings["latency_parts"]
            self.assertEqual(sum(part["samples"] for part in parts), settings["latency_samples"])
            self.assertEqual([part["name"] for part in parts if part["name"] != "postnet"],
                             ["conditioner", "network", "consistency"])
        self.assertLess(facts["low_latency"]["latency_ms"], facts["live"]["latency_ms"])

    def test_latency_is_what_a_stream_shows(self):
        """Frames that arrive one by one: before the input ends, all but `latency` samples have come out."""
        facts = json.loads(self.run_lull("info", "--json").out)
        frames = 60
        for options, settings in (((), facts["live"]), (("--low-latency",), facts["low_latency"]),
                                  (("--offline",), facts["offline"])):
            produced = self.stream_without_end(frames, options)
            self.assertEqual(produced, frames * facts["hop"] - settings["latency_samples"])

    def stream_without_end(self, frames, options):
        """Samples that are there while standard input is still open."""
        import os
        import select
        import struct
        import subprocess
        environment = dict(os.environ, LULL_MODEL=MODEL)
        with subprocess.Popen([harness.PROGRAM, "synth", "-", "-o", "-", *options], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as child:
            values = frames_first(speech_frames(frames))
            child.stdin.write(struct.pack("<%df" % len(values), *values))
            child.stdin.flush()
            got = 0
            # The program is idle when nothing comes for a while; how long that is depends on the machine only
            # in the direction of too few samples, which fails.
            while select.select([child.stdout], [], [], 30 if got == 0 else 3)[0]:
                got += len(os.read(child.stdout.fileno(), 65536))
            child.stdin.close()
            rest = len(child.stdout.read())
        self.assertEqual(got + rest, frames * 256 * 4)
        return got // 4


if __name__ == "__main__":
    harness.main()
