"""lull info: what a model is."""

import json

import harness
from harness import MODEL, SHIPPED, Case, frames_first, speech_frames


class Info(Case):
    def test_text(self):
        out = self.assert_fine(self.run_lull("info", MODEL)).out.decode()
        for words in ("lull-bootstrap-16k", "hifigan: 16000 Hz, 80 bands", "licence", "latency", "low latency",
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
        self.assertEqual(facts["training"]["minutes"], 45)
        self.assert_latency_adds_up(facts, ["conditioner", "network", "consistency"])
        facts = json.loads(self.assert_fine(self.run_lull("info", "--json", SHIPPED)).out)
        self.assertEqual(facts["sample_rate"], 22050)
        self.assertIn("postnet", self.assert_latency_adds_up(facts))

    def assert_latency_adds_up(self, facts, names=None):
        """The parts' names (all of them `names`, where given) of the live settings."""
        for settings in (facts["live"], facts["low_latency"], facts["offline"]):
            self.assertGreater(settings["flops_per_second"], 1e8)
            self.assertAlmostEqual(settings["latency_ms"], settings["latency_samples"] * 1e3 / facts["sample_rate"], places=6)
            parts = settings["latency_parts"]
            self.assertEqual(sum(part["samples"] for part in parts), settings["latency_samples"])
            if names:
                self.assertEqual([part["name"] for part in parts], names)
        self.assertLess(facts["low_latency"]["latency_ms"], facts["live"]["latency_ms"])
        return [part["name"] for part in facts["live"]["latency_parts"]]

    def test_latency_is_what_a_stream_shows(self):
        """Frames that arrive one by one: before the input ends, all but `latency` samples have come out."""
        frames = 60
        for model, uses in ((MODEL, ("live", "low_latency", "offline")), (SHIPPED, ("live", "low_latency"))):
            facts = json.loads(self.run_lull("info", "--json", model).out)
            for use in uses:
                produced = self.stream_without_end(frames, ("-m", model, "--" + use.replace("_", "-")))
                self.assertEqual(produced, frames * facts["hop"] - facts[use]["latency_samples"])

    def stream_without_end(self, frames, options):
        """Samples that are there while standard input is still open."""
        import os
        import select
        import struct
        import subprocess
        with subprocess.Popen([harness.PROGRAM, "synth", "-", "-o", "-", *options], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
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
