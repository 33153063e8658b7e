"""lull bench: its figures are those of real runs, as text and as JSON."""

import json

from harness import MEL, Case


class Bench(Case):
    def facts(self, *words):
        out = self.assert_fine(self.run_lull("bench", "--json", "--rounds", "2", "--seconds", "0.3", *words)).out
        return json.loads(out)

    def test_json(self):
        facts = self.facts("--stream", "0.01", "--steps", "2")
        rows = {row["name"]: row for row in facts["rows"]}
        first = facts["rows"][0]
        self.assertEqual((first["name"], first["steps"], first["threads"]), ("as given", 2, 1))
        for row in rows.values():
            self.assertEqual(len(row["rounds"]), 2)
            self.assertGreaterEqual(row["real_time_factor"], min(row["rounds"]))
            self.assertLessEqual(row["real_time_factor"], max(row["rounds"]))
            # One thread cannot use more processor time than passes; the parts are in that time.
            if row["threads"] == 1 and row["utterances"] == 1:
                self.assertLess(row["cpu_per_second"], 1.2 * row["real_time_factor"] + 0.05)
                self.assertLess(sum(row["parts"].values()), 1.2 * row["real_time_factor"] + 0.05)
                self.assertGreater(row["network_gflops"], 0)
            self.assertTrue(all(seconds > 0 for seconds in row["parts"].values()), row["parts"])
        self.assertEqual(set(first["parts"]), {"conditioner", "source", "network", "consistency"})
        self.assertLess(rows["1 step"]["parts"]["network"], rows["12 steps"]["parts"]["network"])
        self.assertEqual(rows["no refinement"]["refine"], 0)
        self.assertEqual(rows["frame by frame"]["push_frames"], 1)
        self.assertGreater(facts["latency"]["first_sound_seconds"], facts["latency"]["milliseconds"] / 1e3 - 0.02)
        self.assertEqual(facts["memory"]["minutes"][0], 0)
        self.assertLessEqual(max(facts["memory"]["resident_bytes"]), facts["memory"]["most_bytes"])
        self.assertGreater(facts["start"]["program_seconds"], facts["start"]["one_second_seconds"] / 10)
        # bfloat16 is close to float32, and not the same.
        self.assertTrue(10 < facts["bfloat16_snr_db"] < 80, facts["bfloat16_snr_db"])

    def test_given_input(self):
        facts = self.facts("--brief", "--precision", "f32", "--refine", "0", MEL)
        self.assertEqual(len(facts["rows"]), 1)
        self.assertEqual(facts["rows"][0]["precision"], "float32")
        self.assertNotIn("memory", facts)
        self.assertGreater(facts["audio_seconds"], 0.5)

    def test_text(self):
        out = self.assert_fine(self.run_lull("bench", "--brief", "--rounds", "1", "--seconds", "0.2")).out.decode()
        for words in ("16000 Hz", "times real time", "as given", "src net", "of peak"):
            self.assertIn(words, out)

    def test_failures(self):
        self.assert_fails(self.run_lull("bench", "nowhere.npy"), "nowhere.npy")
        self.assert_fails(self.run_lull("bench", "--model", "nowhere"), "nowhere")
        self.assert_fails(self.run_lull("bench", "--rounds", "0"), "rounds", code=2)

    def test_pulls(self):
        """A bound keeps the first pull with a full queue short, and loses nothing."""
        facts = json.loads(self.assert_fine(self.run_lull("bench", "pulls", "--json", "--seconds", "1")).out)
        rows = {(row["arrival"], row["pull_work"]): row for row in facts["rows"]}
        self.assertEqual(set(rows), {("live", 0), ("live", 256), ("all there", 0), ("all there", 256)})
        self.assertAlmostEqual(facts["period_seconds"], 64 / 16000)
        for row in rows.values():
            self.assertGreater(row["pulls"], 200)
            self.assertLessEqual(row["mean_seconds"], row["worst_seconds"])
        self.assertEqual(rows["live", 0]["dry"] + rows["live", 256]["dry"], 0)
        self.assertEqual(rows["all there", 0]["silent_seconds"], 0)
        self.assertGreater(rows["all there", 256]["silent_seconds"], 0)
        self.assertLess(rows["all there", 256]["worst_seconds"], rows["all there", 0]["worst_seconds"])
        self.assert_fails(self.run_lull("bench", "pulls", "--samples", "0"), "samples", code=2)

    def test_fft(self):
        facts = json.loads(self.assert_fine(self.run_lull("bench", "fft", "--json", "--rounds", "1")).out)
        self.assertIn(facts["fft"], ("fftw", "plain"))
        sizes = [row["size"] for row in facts["rows"]]
        for size in (512, 1024, 1200, 1920, 2048):
            self.assertIn(size, sizes)
        for row in facts["rows"]:
            for kind in ("pair", "real"):
                self.assertGreater(row[kind]["own_seconds"], 0)
                self.assertEqual("fftw_seconds" in row[kind], facts["fft"] == "fftw")
        text = self.assert_fine(self.run_lull("bench", "fft", "--rounds", "1")).out.decode()
        self.assertIn("Microseconds", text)
        self.assert_fails(self.run_lull("bench", "fft", "--rounds", "0"), "rounds", code=2)

    def test_training(self):
        facts = json.loads(self.assert_fine(
            self.run_lull("bench", "train", "--json", "--seconds", "0", "--batch", "1", "--crop-frames", "8")).out)
        self.assertGreater(facts["audio_seconds_per_second"], 0)
        self.assertEqual(facts["batch"], 1)
        self.assertEqual(set(facts["seconds"]), {"products", "row pairs", "weight gradients", "gates", "other passes", "packing",
                                                 "step embedding", "gathering"})


if __name__ == "__main__":
    import harness
    harness.main()
