"""tools/import_diffwave.py: what it converts, and what it refuses without running any of it."""
import array
import collections
import importlib.util
import io
import json
import math
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

SOURCE = os.environ.get("LULL_SOURCE", ".")
GOLDEN = os.path.join(os.environ.get("LULL_GOLDENS", "tests/goldens"), "diffwave_small.pt")
TOOL = os.path.join(SOURCE, "tools", "import_diffwave.py")

spec = importlib.util.spec_from_file_location("import_diffwave", TOOL)
sys.dont_write_bytecode = True
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


def read_model(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    config = json.loads(header.pop("__metadata__")["lull"])
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], data[8 + length + first:8 + length + last])
    return config, tensors


class Named:
    """Pickles as a reference to MODULE.NAME, whatever that is."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class FakeTensor:
    """Pickles as PyTorch pickles a tensor."""

    def __init__(self, key, storage, shape, count=None, stride=None, offset=0):
        self.key, self.storage, self.shape, self.offset = key, storage, shape, offset
        self.count = math.prod(shape) if count is None else count
        self.stride = stride or tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))


class Call:
    """Pickles as CALLABLE(*arguments), evaluated when it is loaded."""

    def __init__(self, module, name, arguments):
        self.function, self.arguments = Named(module, name), arguments


def pickled(value, out=None):
    """A protocol 2 pickle of plain data and the classes above."""
    top = out is None
    if top:
        out = io.BytesIO()
        out.write(b"\x80\x02")
    if isinstance(value, Named):
        out.write(b"c%s\n%s\n" % (value.module.encode(), value.name.encode()))
    elif isinstance(value, Call):
        pickled(value.function, out)
        pickled(value.arguments, out)
        out.write(b"R")
    elif isinstance(value, FakeTensor):
        pickled(Named("torch._utils", "_rebuild_tensor_v2"), out)
        out.write(b"(")
        pickled(("storage", Named("torch", value.storage), value.key, "cpu", value.count), out)
        out.write(b"Q")
        for item in (value.offset, value.shape, value.stride, False, Call("collections", "OrderedDict", ())):
            pickled(item, out)
        out.write(b"tR")
    elif isinstance(value, dict):
        out.write(b"}(")
        for key, item in value.items():
            pickled(key, out)
            pickled(item, out)
        out.write(b"u")
    elif isinstance(value, (list, tuple)):
        out.write(b"](" if isinstance(value, list) else b"(")
        for item in value:
            pickled(item, out)
        out.write(b"e" if isinstance(value, list) else b"t")
    else:
        out.write(pickle.dumps(value, 2)[2:-1])
    if top:
        out.write(b".")
        return out.getvalue()
    return None


def small_weights(channels=4, layers=2, bands=5, hidden=8):
    shapes = {"input_projection": (channels, 1, 1), "diffusion_embedding.projection1": (hidden, 128),
              "diffusion_embedding.projection2": (hidden, hidden), "spectrogram_upsampler.conv1": (1, 1, 3, 32),
              "spectrogram_upsampler.conv2": (1, 1, 3, 32), "skip_projection": (channels, channels, 1),
              "output_projection": (1, channels, 1)}
    for i in range(layers):
        shapes["residual_layers.%d.dilated_conv" % i] = (2 * channels, channels, 3)
        shapes["residual_layers.%d.diffusion_projection" % i] = (channels, hidden)
        shapes["residual_layers.%d.conditioner_projection" % i] = (2 * channels, bands, 1)
        shapes["residual_layers.%d.output_projection" % i] = (2 * channels, channels, 1)
    weights = {}
    for name, shape in shapes.items():
        weights[name + ".weight"] = shape
        weights[name + ".bias"] = (shape[0],)
    return weights


def numbers(name, count):
    return [((hash_of(name) + 7 * i) % 64 - 32) / 64 for i in range(count)]  # exact in every float format


def hash_of(text):
    return sum(text.encode())


class Import(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lull-test-")
        self.input = os.path.join(self.folder, "in.pt")
        self.output = os.path.join(self.folder, "out.safetensors")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def run_tool(self, *options, path=None):
        return subprocess.run([sys.executable, "-B", TOOL, path or self.input, self.output, *options],
                              capture_output=True, text=True, check=False)

    def write_zip(self, data, entries=None):
        with zipfile.ZipFile(self.input, "w") as file:
            file.writestr("small/data.pkl", data)
            for name, content in (entries or {}).items():
                file.writestr("small/" + name, content)

    def write_weights(self, kind="FloatStorage", change=None, params=None, bare=False, values=None):
        """A whole small checkpoint; change(tensors, entries) alters it."""
        code = {"FloatStorage": "f", "DoubleStorage": "d", "HalfStorage": "e", "BFloat16Storage": "f"}[kind]
        tensors, entries = {}, {}
        for i, (name, shape) in enumerate(small_weights().items()):
            tensors[name] = FakeTensor(str(i), kind, shape)
            list_of = values if values is not None else numbers(name, math.prod(shape))
            data = struct.pack("<%d%s" % (len(list_of), code), *list_of)
            if kind == "BFloat16Storage":
                data = b"".join(data[j + 2:j + 4] for j in range(0, len(data), 4))
            entries["data/%d" % i] = data
        if change:
            change(tensors, entries)
        content = tensors if bare else {"model": tensors, "step": 7}
        if params is not None:
            content["params"] = params
        self.write_zip(pickled(content), entries)

    def refused(self, *says, options=()):
        result = self.run_tool(*options)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for text in says:
            self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, "one line: " + result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted({"in.pt"} & set(os.listdir(self.folder))))

    # ---- what is converted ----

    def test_golden(self):
        result = self.run_tool("--name", "small", "--licence", "CC0-1.0", path=GOLDEN)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("6 layers of 16 channels", result.stdout)
        config, tensors = read_model(self.output)
        self.assertEqual((config["format"], config["family"], config["name"], config["licence"]),
                         (1, "diffwave", "small", "CC0-1.0"))
        self.assertEqual(config["network"]["dilations"], [1, 2, 4, 1, 2, 4])
        self.assertEqual(config["process"]["schedule"]["training_steps"], 50)
        self.assertEqual(config["synthesis"]["sampler"], "fast")
        # The storages, read by their place in the zip with nothing of the tool's code.
        with zipfile.ZipFile(GOLDEN) as file:
            stored = {file.read(n) for n in file.namelist() if "/data/" in n}
        self.assertEqual(len(tensors), 62)
        for name, (dtype, shape, data) in tensors.items():
            self.assertEqual(dtype, "F32")
            self.assertEqual(4 * math.prod(shape), len(data), name)
            self.assertIn(data, stored, name)

    def test_formats(self):
        models = []
        for kind in ("FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage"):
            self.write_weights(kind, bare=kind == "DoubleStorage")
            result = self.run_tool("--name", "x")
            self.assertEqual(result.returncode, 0, result.stderr)
            models.append(read_model(self.output))
        for model in models:
            self.assertEqual(model, models[0])
        data = array.array("f", models[0][1]["skip_projection.weight"][2])
        self.assertEqual(list(data), numbers("skip_projection.weight", 16))

    def test_no_params(self):
        self.write_weights(bare=True)
        result = self.run_tool("--sample-rate", "24000", "--dilation-cycle", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        config = read_model(self.output)[0]
        self.assertEqual(config["mel"]["sample_rate"], 24000)
        self.assertEqual(config["mel"]["fmax"], 12000)
        self.assertEqual(config["network"]["dilations"], [1, 1])
        self.assertIn("no params.noise_schedule", result.stdout)

    def test_shared_storage_and_prefix(self):
        def change(tensors, entries):
            # Two tensors in one storage, the second behind the first; names as DataParallel writes them.
            entries["data/900"] = struct.pack("<24f", *range(24))
            tensors["skip_projection.weight"] = FakeTensor("900", "FloatStorage", (4, 4, 1), 24, offset=2)
            tensors["skip_projection.bias"] = FakeTensor("900", "FloatStorage", (4,), 24, offset=20)
            for name in list(tensors):
                tensors["module." + name] = tensors.pop(name)
        self.write_weights(change=change)
        self.assertEqual(self.run_tool().returncode, 0)
        tensors = read_model(self.output)[1]
        self.assertEqual(list(array.array("f", tensors["skip_projection.weight"][2])), list(range(2, 18)))
        self.assertEqual(list(array.array("f", tensors["skip_projection.bias"][2])), [20, 21, 22, 23])

    def test_replaces_only_when_whole(self):
        with open(self.output, "w") as file:
            file.write("old")
        self.write_zip(b"\x80\x02.")
        self.assertEqual(self.run_tool().returncode, 1)
        with open(self.output) as file:
            self.assertEqual(file.read(), "old")

    # ---- hostile pickles: each of these does harm when Python's own unpickler loads it ----

    def test_hostile(self):
        witness = os.path.join(self.folder, "witness")
        commands = [("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "call"),
                    ("builtins", "eval"), ("__builtin__", "eval"), ("builtins", "exec"), ("builtins", "getattr"),
                    ("torch", "load"), ("torch.serialization", "load"), ("torch._utils", "_rebuild_parameter"),
                    ("collections", "OrderedDict.fromkeys"), ("collections.abc", "sys"), ("torch", "FloatTensor"),
                    ("runpy", "_run_code"), ("importlib", "import_module"), ("\x1b[2J", "x"), ("", "")]
        for module, name in commands:
            self.write_zip(pickled({"model": Call(module, name, ("touch " + witness,))}))
            self.refused("which is no tensor", "nothing of it was run")
        self.assertFalse(os.path.exists(witness))

    def test_hostile_really_is(self):
        # The same bytes in Python's own unpickler do run: the test above could fail.
        witness = os.path.join(self.folder, "witness")
        pickle.loads(pickled({"model": Call("os", "system", ("touch " + witness,))}))
        self.assertTrue(os.path.exists(witness))

    def test_hostile_other_ways(self):
        system = b"cos\nsystem\n"
        raw = {
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.": "which is no tensor",  # STACK_GLOBAL
            b"(S'true'\nios\nsystem\n.": "opcode",  # INST
            b"(" + system + b"S'true'\no.": "which is no tensor",  # OBJ
            b"\x80\x02" + system + b")\x81.": "which is no tensor",  # NEWOBJ
            b"\x80\x02ccollections\nOrderedDict\n)\x81.": "opcode NEWOBJ",
            b"\x80\x02\x82\x01.": "opcode EXT1",
            b"\x80\x02ctorch\nFloatStorage\n)R.": "calls something that is no tensor",
            b"\x80\x02X\x02\x00\x00\x00os)R.": "calls something that is no tensor",
            b"\x80\x02]]b.": "damaged",  # BUILD on a list
            b"\x80\x02ccollections\nOrderedDict\n}X\x08\x00\x00\x00__code__Nsb.": "damaged",  # BUILD on a function
            b"\x80\x02Pid\n.": "opcode PERSID",
            b"\x80\x02K\x01Q.": "storage is described",
            b"\x80\x02.": "damaged",
            b"\x80\x02": "damaged",
            b"": "damaged",
            b"garbage": "damaged",
            b"\x80\x02(((((((((": "damaged",
            b"\x80\x02h\x07.": "unknown memo",
            b"\x80\x02}K\x01.": "no checkpoint",
            b"\x80\x02]q\x00h\x00a.": "no checkpoint",  # a list that holds itself
            b"\x80\x02\x8aP": "damaged",
            b"\x80\x02}(]K\x01u.": "keys that are neither",
        }
        for data, says in raw.items():
            self.write_zip(data)
            self.refused(says)

    # ---- files that are not what they should be ----

    def test_not_zip(self):
        with open(self.input, "wb") as file:
            file.write(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")  # how the legacy format begins
        self.refused("not PyTorch's zip format", "torch.save(torch.load(")
        with open(self.input, "wb"):
            pass
        self.refused("not PyTorch's zip format")
        os.unlink(self.input)
        self.refused("No such file")

    def test_damaged_zip(self):
        with open(GOLDEN, "rb") as file:
            data = file.read()
        for size in (30, 5000, len(data) - 30):
            with open(self.input, "wb") as file:
                file.write(data[:size])
            self.refused("not a whole zip")
        middle = len(data) // 2
        with open(self.input, "wb") as file:
            file.write(data[:middle] + bytes(1000) + data[middle + 1000:])
        self.refused("cannot be read")
        with zipfile.ZipFile(self.input, "w") as file:
            file.writestr("readme", "hello")
        self.refused("no PyTorch checkpoint")

    def test_storages(self):
        def missing(tensors, entries):
            del entries["data/3"]
        def short(tensors, entries):
            entries["data/3"] = entries["data/3"][:-4]
        def long(tensors, entries):
            entries["data/3"] += b"\0"
        def beyond(tensors, entries):
            tensors["input_projection.bias"].offset = 1
        def view(tensors, entries):
            tensors["skip_projection.weight"].stride = (1, 4, 1)
        def expanded(tensors, entries):
            tensors["input_projection.bias"].shape, tensors["input_projection.bias"].stride = (1 << 28,), (0,)
        def huge(tensors, entries):
            tensors["input_projection.bias"].count = 1 << 40
        def escaping(tensors, entries):
            tensors["input_projection.bias"].key = "../data.pkl"
        def negative(tensors, entries):
            tensors["input_projection.bias"].offset = -4
        def integers(tensors, entries):
            tensors["input_projection.bias"].storage = "LongStorage"
        for change, says in ((missing, "missing"), (short, "has 28 bytes, expected 32"), (long, "at most"), (beyond, "beyond"),
                             (view, "view"), (expanded, "shape"), (huge, "described"), (escaping, "described"),
                             (negative, "no sense"), (integers, "no tensor")):
            self.write_weights(change=change)
            self.refused(says)

    def test_compressed_bomb(self):
        self.write_weights()
        with zipfile.ZipFile(self.input, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("small/data.pkl", bytes(65 << 20))
        self.refused("expected at most")

    def test_not_finite(self):
        for value in (math.nan, math.inf, -math.inf):
            def change(tensors, entries, value=value):
                entries["data/2"] = struct.pack("<f", value) + entries["data/2"][4:]
            self.write_weights(change=change)
            self.refused("holds NaN or infinity")
        self.write_weights("DoubleStorage", change=lambda t, e: e.update(
            {"data/2": struct.pack("<d", 1e300) + e["data/2"][8:]}))
        self.refused("holds NaN or infinity")

    # ---- networks that are not DiffWave ----

    def test_other_networks(self):
        def drop(name):
            return lambda tensors, entries: tensors.pop(name)
        def extra(tensors, entries):
            tensors["attention.weight"] = tensors["skip_projection.weight"]
        def upsampler(tensors, entries):
            tensors["spectrogram_upsampler.conv1.weight"].shape = (1, 1, 3, 20)
            tensors["spectrogram_upsampler.conv1.weight"].stride = (60, 60, 20, 1)
        def kernel(tensors, entries):
            tensors["residual_layers.1.dilated_conv.weight"].shape = (8, 4, 2)
        def unconditional(tensors, entries):
            for name in list(tensors):
                if "upsampler" in name:
                    del tensors[name]
        for change, says in ((drop("input_projection.weight"), "no DiffWave"), (extra, "attention.weight"),
                             (drop("residual_layers.1.output_projection.bias"), "no tensor"),
                             (upsampler, "hop is not 256"), (kernel, "expected [8, 4, 3]"),
                             (unconditional, "unconditional")):
            self.write_weights(change=change)
            self.refused(says)

    def test_params(self):
        linear = [1e-4 + i * (0.05 - 1e-4) / 49 for i in range(50)]
        good = {"hop_samples": 256, "n_mels": 5, "sample_rate": 22050, "dilation_cycle_length": 2, "n_fft": 1024,
                "noise_schedule": linear}
        self.write_weights(params=good)
        self.assertEqual(self.run_tool("--quiet").returncode, 0)
        os.unlink(self.output)
        for change, says in (({"hop_samples": 300}, "its hop is 300"), ({"n_mels": 80}, "for 5 bands"),
                             ({"hop_samples": "256"}, "hop_samples"), ({"sample_rate": math.nan}, "sample_rate"),
                             ({"dilation_cycle_length": 99}, "dilation_cycle_length"),
                             ({"noise_schedule": [0.1, 0.2, 0.9]}, "not linear"),
                             ({"noise_schedule": [0.5]}, "noise_schedule"), ({"noise_schedule": 3}, "noise_schedule")):
            self.write_weights(params=dict(good, **change))
            self.refused(says)
        few = dict(good, noise_schedule=[1e-4, 2e-4, 3e-4])
        self.write_weights(params=few)
        self.assertEqual(self.run_tool().returncode, 0)
        self.assertEqual(read_model(self.output)[0]["synthesis"]["sampler"], "ddim")

    def test_output_folder_missing(self):
        self.write_weights()
        self.output = os.path.join(self.folder, "nowhere", "out.safetensors")
        self.refused("nowhere")

    def test_ordered_dict(self):
        self.assertEqual(tool.run_pickle(pickled({"a": Call("collections", "OrderedDict", ())})), {"a": {}})
        self.assertEqual(tool.run_pickle(pickle.dumps(collections.OrderedDict(), 2)), {})


if __name__ == "__main__":
    unittest.main()
