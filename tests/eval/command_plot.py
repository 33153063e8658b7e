"""lull plot: pictures of recordings and mels."""

import os
import struct
import zlib

import harness
from harness import GOLDENS, MEL, RECORDING, Case, mel_bytes, speech_frames, wav_bytes

LEFT, RIGHT, TITLE, BOTTOM, PANEL, MEL_PANEL = 98, 108, 30, 44, 280, 240
F0_ROOM, F0_COLOUR = 52, (70, 235, 235)


def read_png(data):
    """(width, height, rows of (r, g, b)) of an 8 bit picture without interlacing."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0]
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8 and colour in (2, 3)
    step = 3 if colour == 2 else 1
    raw, rows, before = zlib.decompress(chunks[b"IDAT"]), [], bytearray(width * step)
    for y in range(height):
        line = bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for i in range(len(line)):
            a, b = line[i - step] if i >= step else 0, before[i]
            c = before[i - step] if i >= step else 0
            kind = raw[y * (width * step + 1)]
            if kind == 1:
                line[i] = (line[i] + a) & 255
            elif kind == 2:
                line[i] = (line[i] + b) & 255
            elif kind == 3:
                line[i] = (line[i] + (a + b) // 2) & 255
            elif kind == 4:
                nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
                line[i] = (line[i] + nearest) & 255
        before = line
        colours = chunks.get(b"PLTE")
        rows.append([tuple(colours[3 * p:3 * p + 3]) for p in line] if colours
                    else [tuple(line[3 * x:3 * x + 3]) for x in range(width)])
    return width, height, rows


class Plot(Case):
    def picture(self, name):
        return read_png(self.read(name))

    def test_recording(self):
        result = self.assert_fine(self.run_lull("plot", RECORDING))
        self.assertEqual(self.files(), ["speech_16000.png"])
        self.assertIn("speech_16000.png", result.err)
        width, height, rows = self.picture("speech_16000.png")
        self.assertEqual((width, height), (1000, TITLE + PANEL + BOTTOM))
        inside = {rows[y][x] for y in range(TITLE, TITLE + PANEL) for x in range(LEFT, width - RIGHT)}
        self.assertGreater(len(inside), 80)

    def test_mel(self):
        self.assert_fine(self.run_lull("plot", MEL, "-o", "out.png", "-q"))
        self.assertEqual(self.picture("out.png")[:2], (1000, TITLE + MEL_PANEL + BOTTOM))

    def test_recording_as_mel(self):
        self.assert_fine(self.run_lull("plot", "--mel", RECORDING, "-o", "out.png", "--width", "400"))
        self.assertEqual(self.picture("out.png")[:2], (400, TITLE + MEL_PANEL + BOTTOM))

    def curve(self, name, height):
        """Columns of the panel in which the curve of F0 is seen, with where its middle is, in Hz, from 0 to 1 of the
        duration."""
        width, _, rows = self.picture(name)
        inner, found = width - LEFT - RIGHT - F0_ROOM, []
        for x in range(inner):
            at = [y for y in range(height) if rows[TITLE + y][LEFT + x] == F0_COLOUR]
            if at:
                part = 1 - sum(at) / len(at) / (height - 1)
                found.append(((x + 0.5) / inner, 50 * 16 ** part))
        return found

    def test_f0(self):
        """A voice of 125 Hz, nothing, one of 250 Hz: over the spectrogram and the mel, at any rate; --no-f0: nowhere."""
        for rate in (16000, 4000, 192000):
            self.write("voice.wav", wav_bytes(sum(([int(6000 * (2 * (i * hz / rate % 1) - 1)) for i in range(rate)]
                                                   for hz in (125, 0, 250)), []), rate))
            for words, height in (((), PANEL), (("--mel", "-c", "hifigan-16k"), MEL_PANEL)):
                self.assert_fine(self.run_lull("plot", "voice.wav", "-o", "with.png", "-q", *words))
                curve = self.curve("with.png", height)
                first = [hz for part, hz in curve if part < 1 / 3]
                last = [hz for part, hz in curve if part > 2 / 3]
                self.assertEqual([part for part, hz in curve if 0.36 < part < 0.64], [])
                self.assertGreater(len(first), 200)
                self.assertGreater(len(last), 200)
                for hz, wanted in [(hz, 125) for hz in first[5:-5]] + [(hz, 250) for hz in last[5:-5]]:
                    self.assertAlmostEqual(hz / wanted, 1, delta=0.02)
                self.assert_fine(self.run_lull("plot", "voice.wav", "-o", "without.png", "-q", "--no-f0", *words))
                self.assertFalse(any(F0_COLOUR in row for row in self.picture("without.png")[2]))

    def test_reference(self):
        other = self.write("other.wav", wav_bytes([((i * 7919) % 2000) - 1000 for i in range(20000)], 8000))
        self.assert_fine(self.run_lull("plot", "--reference", RECORDING, other, "-o", "out.png", "-W", "500"))
        self.assertEqual(self.picture("out.png")[:2], (500, 3 * (TITLE + PANEL) + BOTTOM))
        # A mel and a recording meet as mels, and these are the same: the difference is white.
        self.assert_fine(self.run_lull("plot", "--reference", MEL, RECORDING, "-o", "mel.png", "-W", "500",
                                        "--no-f0"))
        width, height, rows = self.picture("mel.png")
        self.assertEqual((width, height), (500, 3 * (TITLE + MEL_PANEL) + BOTTOM))
        top = 2 * (TITLE + MEL_PANEL) + TITLE
        for y in range(top, top + MEL_PANEL, 7):
            for x in range(LEFT, width - RIGHT - 10, 5):
                self.assertGreater(min(rows[y][x]), 240)

    def test_stack(self):
        self.assert_fine(self.run_lull("plot", "--stack", MEL, RECORDING, "-o", "out.png", "-H", "100", "-W", "400"))
        self.assertEqual(self.picture("out.png")[:2], (400, (TITLE + 80) + (TITLE + 100) + BOTTOM))

    def test_many(self):
        self.write("in/a.wav", wav_bytes([((i * 7919) % 2000) - 1000 for i in range(9000)]))
        self.write("in/b.npy", mel_bytes(speech_frames(5)))
        os.mkdir(self.path("out"))
        self.assert_fine(self.run_lull("plot", "in", "-o", "out", "--width", "300"))
        self.assertEqual(self.files(), ["in/a.wav", "in/b.npy", "out/a.png", "out/b.png"])

    def test_standard_output(self):
        result = self.assert_fine(self.run_lull("plot", RECORDING, "-o", "-"))
        self.assertEqual(result.err, "")
        self.assert_fine(self.run_lull("plot", RECORDING, "-o", "file.png"))
        self.assert_same(result.out, self.read("file.png"))

    def test_other_convention(self):
        mel = os.path.join(GOLDENS, "mel", "mel_diffwave_22050.npy")
        self.assert_fails(self.run_lull("plot", mel, model=False, env={"LULL_MODEL": ""}))
        self.assert_fine(self.run_lull("plot", mel, "-c", "diffwave", "-o", "out.png"))

    def test_without_a_model(self):
        self.assert_fine(self.run_lull("plot", RECORDING, "--mel", "-c", "tacotron2", "-o", "out.png", model=False))

    def test_wrong_usage(self):
        for words, says in (((), "no input"), (("a.wav", "b.wav", "--reference", "c.wav"), "one input"),
                            (("a.wav", "--n-fft", "33"), "even"), (("a.wav", "--range", "5"), "range"),
                            (["a.wav"] * 17 + ["--stack"], "16")):
            self.assert_fails(self.run_lull("plot", *words), says, code=2)
        self.assertEqual(self.files(), [])

    def test_bad_files(self):
        self.write("text.wav", b"no recording")
        self.write("empty.npy", b"")
        for words, says in ((["text.wav"], "text.wav"), (["empty.npy"], "empty.npy"), (["none.wav"], "none.wav"),
                            ([RECORDING, "-o", "no/out.png"], "no/out.png"),
                            (["--reference", "none.wav", RECORDING], "none.wav")):
            self.assert_fails(self.run_lull("plot", *words), says)
        self.assertEqual(self.files(), ["empty.npy", "text.wav"])


if __name__ == "__main__":
    harness.main()
