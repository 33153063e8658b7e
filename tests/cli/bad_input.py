"""Bad input: every case gives one clear line, exit code 1 and no output file."""

import ctypes
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import threading

import harness
from harness import BANDS, MEL, MODEL, PROGRAM, Case, bands_first, frames_first, mel_bytes, npy_bytes
from harness import speech_frames, wav_bytes

FEW = speech_frames(6)
FAST = ("--steps", "1", "--refine", "1")


class Arrays(Case):
    """Mel arrays that cannot be synthesized."""

    def refused(self, name, *words, options=()):
        before = self.files()
        line = self.assert_fails(self.run_lull("synth", name, "-o", "out.wav", *FAST, *options), *words)
        self.assertEqual(self.files(), before)
        return line

    def refused_bytes(self, data, *words, options=()):
        self.write("in.npy", data)
        return self.refused("in.npy", "in.npy", *words, options=options)

    def test_missing_file(self):
        self.refused("nothing.npy", "nothing.npy", "No such file")

    def test_empty_name(self):
        for command in ("synth", "mel", "play", "plot", "info", "eval", "train"):
            self.assert_fails(self.run_lull(command, ""), "name of an input is empty", code=2)
        self.assert_fails(self.run_lull("synth", "a.npy", "", "-o", "out"), "word 2 of 2", code=2)

    def test_missing_recording(self):
        self.refused("nothing.wav", "nothing.wav", "No such file")

    def test_empty_file(self):
        self.refused_bytes(b"", "empty")

    def test_folder_without_inputs(self):
        os.mkdir(self.path("folder"))
        self.refused("folder", "folder", "no .npy files or recordings")

    def test_folder_named_as_an_array(self):
        os.mkdir(self.path("in.npy"))
        self.refused("in.npy", "in.npy")

    def test_not_an_npy(self):
        self.refused_bytes(b"this is text, not an array\n" * 10, "npy")

    def test_archive_of_arrays(self):
        self.write("in.npz", b"PK\x03\x04" + bytes(100))
        self.refused("in.npz", "in.npz", ".npz archive")

    def test_big_endian(self):
        self.refused_bytes(npy_bytes([BANDS, 6], bands_first(FEW), descr=">f4"), ">f4")

    def test_integers(self):
        self.refused_bytes(npy_bytes([BANDS, 6], [1] * (BANDS * 6), descr="<i4"), "<i4")

    def test_objects(self):
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (80, 6), }".ljust(117) + b"\n"
        self.refused_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(400),
                           "O")

    def test_truncated(self):
        self.refused_bytes(mel_bytes(FEW)[:-7])

    def test_truncated_header(self):
        self.refused_bytes(mel_bytes(FEW)[:40])

    def test_header_of_huge_shape(self):
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (80, 99999999999999999), }"
        header = header.ljust(117) + b"\n"
        self.refused_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(400))

    def test_zero_frames(self):
        self.refused_bytes(npy_bytes([BANDS, 0], []), "no frames")

    def test_no_bands(self):
        self.refused_bytes(npy_bytes([0, BANDS], []), "no frames")

    def test_several_spectrograms(self):
        self.refused_bytes(npy_bytes([2, BANDS, 6], bands_first(FEW) * 2), "[2, 80, 6]", "2 spectrograms")

    def test_one_dimension(self):
        self.refused_bytes(npy_bytes([BANDS], FEW[0]), "[80]")

    def test_not_a_number(self):
        frames = [list(frame) for frame in FEW]
        frames[3][7] = float("nan")
        self.refused_bytes(mel_bytes(frames), "nan")

    def test_infinity(self):
        for value in (float("inf"), float("-inf")):
            frames = [list(frame) for frame in FEW]
            frames[0][0] = value
            self.refused_bytes(mel_bytes(frames), "inf")

    def test_wrong_band_count(self):
        self.refused_bytes(npy_bytes([100, 6], [-3.0] * 600), "[100, 6]", "80 bands")

    def test_wrong_layout(self):
        self.refused_bytes(mel_bytes(FEW), "[80, 6]", "frames-first",
                           options=("--layout", "frames-first"))

    def test_square_wants_layout(self):
        values = speech_frames(60, 10) + speech_frames(20, 10)
        self.refused_bytes(mel_bytes(values), "--layout")

    def test_another_convention_unit_range(self):
        n = 40
        values = [min(1.0, max(0.0, (v + 11.5) / 13.5)) for v in bands_first(speech_frames(n))]
        self.refused_bytes(npy_bytes([BANDS, n], values), "in.npy")

    def test_another_convention_log10(self):
        n = 60
        values = [v / 2.302585 for v in bands_first(speech_frames(n))]
        self.refused_bytes(npy_bytes([BANDS, n], values), "--from log10")

    def test_another_convention_linear(self):
        n = 60
        values = [2.718281828 ** v for v in bands_first(speech_frames(n))]
        self.refused_bytes(npy_bytes([BANDS, n], values), "--from linear")

    def test_negative_values_said_to_be_linear(self):
        self.refused_bytes(mel_bytes(FEW), "linear", options=("--from", "linear"))

    def test_overflow_in_conversion(self):
        values = [v * 1e6 for v in bands_first(FEW)]
        values[0] = 3e5
        self.refused_bytes(npy_bytes([BANDS, 6], values), "--from log10", options=("--from", "log10"))

    def test_noise_of_another_shape(self):
        self.write("noise.npy", npy_bytes([3, 10], [0.0] * 30))
        self.refused_bytes(mel_bytes(FEW), "noise", options=("--noise", "noise.npy"))

    def test_noise_of_one_dimension(self):
        self.write("noise.npy", npy_bytes([30], [0.0] * 30))
        self.write("in.npy", mel_bytes(FEW))
        self.refused("in.npy", "noise.npy", options=("--noise", "noise.npy"))

    def test_name_with_control_characters(self):
        self.write("bad\n\x1b[31mname.npy", b"")
        self.refused("bad\n\x1b[31mname.npy", "bad??[31mname.npy")

    def test_existing_output_survives_bad_input(self):
        self.write("out.wav", b"precious")
        self.write("in.npy", b"nothing of use")
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "out.wav"))
        self.assertEqual(self.read("out.wav"), b"precious")
        self.assertEqual(self.files(), ["in.npy", "out.wav"])


class Recordings(Case):
    """Recordings that cannot be analysed, for both commands that read them."""

    def refused(self, name, *words):
        before = self.files()
        self.assert_fails(self.run_lull("synth", name, "-o", "out.wav", *FAST), *words)
        self.assert_fails(self.run_lull("mel", name, "-o", "out.npy"), *words)
        self.assertEqual(self.files(), before)

    def test_no_samples(self):
        self.write("in.wav", wav_bytes([]))
        self.refused("in.wav", "in.wav")

    def test_empty(self):
        self.write("in.wav", b"")
        self.refused("in.wav", "in.wav", "empty")

    def test_not_a_recording(self):
        self.write("in.wav", b"this is not a recording " * 20)
        self.refused("in.wav", "in.wav")

    def test_missing(self):
        self.refused("in.wav", "in.wav", "No such file")

    def test_folder(self):
        os.mkdir(self.path("in"))
        self.refused("in", "in")

    def test_array_for_a_recording(self):
        self.write("in.npy", mel_bytes(FEW))
        self.assert_fails(self.run_lull("mel", "in.npy", "-o", "out.npy"), "in.npy", "expected a recording")
        self.assert_fails(self.run_lull("mel", "in.npy"), "in.npy", "expected a recording")
        self.assertEqual(self.files(), ["in.npy"])


class Streams(Case):
    """Standard input and output."""

    def test_nothing_on_stdin(self):
        self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *FAST), "standard input", "no frames")
        self.assertEqual(self.files(), [])

    def test_part_of_a_frame(self):
        data = struct.pack("<%df" % (6 * BANDS), *frames_first(FEW))[:-6]
        self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *FAST, stdin=data), "frame 5",
                          "314 of its 320 bytes")
        self.assertEqual(self.files(), [])

    def test_not_a_number_on_stdin(self):
        frames = frames_first(FEW)
        frames[200] = float("nan")
        data = struct.pack("<%df" % (6 * BANDS), *frames)
        self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *FAST, stdin=data), "standard input")
        self.assertEqual(self.files(), [])

    def test_archive_on_stdin(self):
        self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *FAST, stdin=b"PK\x03\x04" + bytes(1000)),
                          "standard input", ".npz archive")
        self.assertEqual(self.files(), [])

    def test_pipe_with_a_name(self):
        """A recording may come through one; an array has to come through standard input."""
        for data, said in ((npy_bytes([BANDS, 6], bands_first(FEW)), "lull synth - <"), (wav_bytes([1000, -1000] * 4000), None)):
            os.mkfifo(self.path("pipe"))
            writer = threading.Thread(target=self.write, args=("pipe", data), daemon=True)
            writer.start()
            result = self.run_lull("synth", "pipe", "-o", "out.wav", *FAST)
            writer.join(10)
            os.unlink(self.path("pipe"))
            self.assert_fails(result, said) if said else self.assertEqual(result.code, 0, result)

    def test_truncated_array_on_stdin(self):
        self.assert_fails(self.run_lull("synth", "-", "-o", "out.wav", *FAST, stdin=mel_bytes(FEW)[:-9]),
                          "standard input")
        self.assertEqual(self.files(), [])

    def test_bad_input_writes_no_header(self):
        self.write("in.npy", b"nothing of use")
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "-", "--wav"))

    def closed_pipe(self, *words, silent=False):
        ends = os.pipe()
        os.close(ends[0])
        try:
            result = self.run_lull(*words, stdout=ends[1])
        finally:
            os.close(ends[1])
        if silent:
            self.assertEqual((result.code, result.err), (1, ""))
        else:
            self.assert_fails(result, "standard output")

    def test_closed_pipe(self):
        self.write("in.npy", mel_bytes(FEW))
        self.closed_pipe("synth", "in.npy", "-o", "-", *FAST)

    def test_closed_pipe_wav(self):
        self.write("in.npy", mel_bytes(speech_frames(40)))
        ends = os.pipe()
        os.close(ends[0])
        try:
            result = self.run_lull("synth", "in.npy", "-o", "-", "--wav", *FAST, stdout=ends[1])
        finally:
            os.close(ends[1])
        self.assert_fails(result)

    def test_closed_pipe_other_commands(self):
        self.write("in.wav", wav_bytes([1000, -1000] * 4000))
        self.closed_pipe("mel", "in.wav", "-o", "-")
        # What is printed to be read may be left early (head): nothing is said, the exit code stays.
        for words in (["info"], ["info", "--json"], ["help"], ["--version"]):
            self.closed_pipe(*words, silent=True)

    def full_disk(self, *words):
        with open("/dev/full", "wb") as full:
            self.assert_fails(self.run_lull(*words, stdout=full), "No space left")

    def test_full_disk(self):
        self.write("in.npy", mel_bytes(FEW))
        self.write("in.wav", wav_bytes([1000, -1000] * 4000))
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "/dev/full", *FAST), "/dev/full")
        self.assert_fails(self.run_lull("mel", "in.wav", "-o", "/dev/full", "-q"), "/dev/full")
        self.full_disk("synth", "in.npy", "-o", "-", *FAST)
        self.full_disk("mel", "in.wav", "-o", "-")
        self.full_disk("info")
        self.full_disk("help", "synth")


def drop_file_capabilities():
    """Runs in the child, before the program: PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


class Outputs(Case):
    """Outputs that cannot be written."""

    def setUp(self):
        super().setUp()
        self.write("in.npy", mel_bytes(speech_frames(20)))
        self.write("in.wav", wav_bytes([1000, -1000] * 8000))

    def test_folder_missing(self):
        self.assert_fails(self.run_lull("synth", "in.npy", "-o", "missing/out.wav", *FAST), "missing")
        self.assert_fails(self.run_lull("mel", "in.wav", "-o", "missing/out.npy"), "missing")
        self.assertEqual(self.files(), ["in.npy", "in.wav"])

    def test_file_for_folder(self):
        self.assert_fails(self.run_lull("synth", "in.npy", "in.wav", "-o", "in.wav", *FAST), "in.wav",
                          "folder")

    def test_folder_read_only(self):
        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("locked"), 0o555)
        # Root may write anywhere, without these two capabilities only where its files' modes let it.
        more = {"preexec_fn": drop_file_capabilities} if os.geteuid() == 0 else {}
        if subprocess.run(["touch", self.path("locked/probe")], capture_output=True, **more).returncode == 0:
            self.skipTest("nothing is read-only for this user")
        result = self.run_lull("synth", "in.npy", "-o", "locked/out.wav", *FAST, **more)
        self.assert_fails(result, "locked/out.wav", "Permission denied")
        result = self.run_lull("mel", "in.wav", "-o", "locked/out.npy", **more)
        self.assert_fails(result, "locked/out.npy", "Permission denied")
        self.assertEqual(self.files(), ["in.npy", "in.wav"])

    def test_file_too_large_keeps_the_old_output(self):
        self.write("out.wav", b"precious")
        result = self.run_lull("synth", "in.npy", "-o", "out.wav", *FAST, preexec_fn=limit_file_size)
        self.assert_fails(result, "out.wav")
        self.assertEqual(self.read("out.wav"), b"precious")
        # The name that was given, not that of the temporary file.
        result = self.run_lull("synth", "in.npy", "-o", "out.flac", *FAST, preexec_fn=limit_file_size)
        self.assert_fails(result, "cannot write 'out.flac': File too large")
        self.write("out.npy", b"precious")
        result = self.run_lull("mel", "in.wav", "-o", "out.npy", preexec_fn=limit_file_size)
        self.assert_fails(result, "out.npy")
        self.assertEqual(self.read("out.npy"), b"precious")
        self.assertEqual(self.files(), ["in.npy", "in.wav", "out.npy", "out.wav"])

    def test_output_is_the_input(self):
        before = self.read("in.wav")
        self.assert_fails(self.run_lull("synth", "in.wav", "-o", "in.wav", *FAST), "its own input", code=2)
        os.symlink("in.wav", self.path("link.wav"))
        self.assert_fails(self.run_lull("synth", "in.wav", "-o", "link.wav", *FAST), "its own input",
                          code=2)
        self.assertEqual(self.read("in.wav"), before)

    def test_two_inputs_one_output(self):
        os.mkdir(self.path("out"))
        self.assert_fails(self.run_lull("synth", "in.npy", "in.wav", "-o", "out", *FAST), "would both become",
                          code=2)

    def test_bad_file_among_good_ones(self):
        self.write("inputs/a.npy", mel_bytes(FEW))
        self.write("inputs/b.npy", b"nothing of use")
        self.write("inputs/c.npy", mel_bytes(FEW))
        os.mkdir(self.path("out"))
        result = self.run_lull("synth", "inputs", "-o", "out", "--quiet", *FAST)
        self.assert_fails(result, "inputs/b.npy")
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["a.wav", "c.wav"])


class Models(Case):
    """Model files that are truncated, wrong or hostile."""

    @classmethod
    def setUpClass(cls):
        with open(MODEL, "rb") as file:
            data = file.read()
        cls.size = struct.unpack("<Q", data[:8])[0]
        cls.header = json.loads(data[8:8 + cls.size])
        cls.body = data[8 + cls.size:]

    def file(self, header, body=None, size=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text + \
            (self.body if body is None else body)

    def refused(self, data, *words):
        self.write("in.npy", mel_bytes(FEW))
        self.write("model.safetensors", data)
        before = self.files()
        line = self.assert_fails(self.run_lull("synth", "in.npy", "-m", "model.safetensors", "-o", "out.wav"),
                                 "model.safetensors", *words)
        self.assert_fails(self.run_lull("info", "model.safetensors"), "model.safetensors", *words)
        self.assertEqual(self.files(), before)
        return line

    def changed(self, change):
        header = json.loads(json.dumps(self.header))
        change(header)
        return self.file(header)

    def first_tensor(self, header):
        return next(name for name in header if name != "__metadata__")

    def test_missing(self):
        self.write("in.npy", mel_bytes(FEW))
        self.assert_fails(self.run_lull("synth", "in.npy", "-m", "none-such.safetensors", "-o", "out.wav"),
                          "none-such.safetensors", "No such file")
        self.assert_fails(self.run_lull("info", "none-such.safetensors"), "none-such.safetensors")
        self.assertEqual(self.files(), ["in.npy"])

    def test_folder(self):
        os.mkdir(self.path("folder"))
        self.assert_fails(self.run_lull("info", "folder"), "folder")

    def test_empty(self):
        self.refused(b"")

    def test_short(self):
        self.refused(b"\x10\x00\x00")

    def test_another_file(self):
        self.refused(b"this is not a model " * 30)

    def test_truncated_tensors(self):
        self.refused(self.file(self.header, body=self.body[:-4]))

    def test_truncated_header(self):
        self.refused(self.file(self.header)[:1000])

    def test_huge_header_length(self):
        for size in (2 ** 64 - 1, 2 ** 63, 2 ** 40, len(self.body) * 2):
            self.refused(self.file(self.header, size=size))

    def test_header_is_no_json(self):
        self.refused(self.file(b"{" * 500))
        self.refused(self.file(b"[1, 2]"))

    def test_deep_json(self):
        self.refused(self.file(b'{"a":' + b"[" * 200000 + b"]" * 200000 + b"}"))

    def test_overlapping_tensors(self):
        def overlap(header):
            names = [name for name in header if name != "__metadata__"]
            same = [n for n in names if header[n]["shape"] == header[names[0]]["shape"]]
            victim = same[1] if len(same) > 1 else names[1]
            size = header[victim]["data_offsets"][1] - header[victim]["data_offsets"][0]
            begin = header[names[0]]["data_offsets"][0]
            header[victim]["data_offsets"] = [begin, begin + size]
        self.refused(self.changed(overlap))

    def test_offsets_outside(self):
        def outside(header):
            name = self.first_tensor(header)
            size = header[name]["data_offsets"][1] - header[name]["data_offsets"][0]
            header[name]["data_offsets"] = [len(self.body), len(self.body) + size]
        self.refused(self.changed(outside))

    def test_offsets_of_huge_and_negative_numbers(self):
        for offsets in ([-8, 8], [2 ** 63, 2 ** 63 + 16], [16, 0], [0.5, 8], ["a", "b"], [0]):
            def change(header):
                header[self.first_tensor(header)]["data_offsets"] = offsets
            self.refused(self.changed(change))

    def test_missing_tensor(self):
        name = "input_projection.weight"
        self.assertIn(name, self.header)

        def rename(header):
            header["other.weight"] = header.pop(name)
        self.refused(self.changed(rename), name)

    def test_wrong_shape(self):
        name = "input_projection.weight"

        def flatten(header):
            count = 1
            for n in header[name]["shape"]:
                count *= n
            header[name]["shape"] = [count]
        self.refused(self.changed(flatten), name)

    def test_shape_that_is_not_the_data(self):
        def grow(header):
            header[self.first_tensor(header)]["shape"] = [2 ** 40, 2 ** 40]
        self.refused(self.changed(grow))

    def test_unknown_dtype(self):
        def change(header):
            header[self.first_tensor(header)]["dtype"] = "Q7"
        self.refused(self.changed(change))

    def test_unknown_format_version(self):
        def change(header):
            config = json.loads(header["__metadata__"]["lull"])
            config["format"] = 99
            header["__metadata__"]["lull"] = json.dumps(config)
        self.refused(self.changed(change), "reads format 1")

    def test_no_configuration(self):
        def change(header):
            del header["__metadata__"]
        self.refused(self.changed(change))

    def test_configuration_out_of_range(self):
        def change(header):
            config = json.loads(header["__metadata__"]["lull"])
            config["mel"]["hop"] = 0
            header["__metadata__"]["lull"] = json.dumps(config)
        self.refused(self.changed(change))

    def test_weights_that_are_no_numbers(self):
        self.refused(self.file(self.header, body=b"\xff" * len(self.body)))

    def test_no_default_model(self):
        """A program away from its build folder and without an installed model."""
        copy = self.path("lull")
        shutil.copy(PROGRAM, copy)
        self.write("in.npy", mel_bytes(FEW))
        environment = {k: v for k, v in os.environ.items() if k != "LULL_MODEL"}
        done = subprocess.run([copy, "synth", "in.npy"], capture_output=True, cwd=self.folder,
                              env=environment)
        if done.returncode == 0:
            self.skipTest("a model is installed on this machine")
        self.assert_fails(harness.Result(done.returncode, done.stdout, done.stderr), "no model found", "-m")


if __name__ == "__main__":
    harness.main()
