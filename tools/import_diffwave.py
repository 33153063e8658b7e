#!/usr/bin/env python3
"""Turns a DiffWave checkpoint (lmnt-com/diffwave's weights.pt, or a bare state dict) into a lull model.

    import_diffwave.py IN.pt OUT.safetensors [--name NAME] [--licence SPDX] [--sample-rate HZ]
                       [--dilation-cycle N] [--quiet]

Only Python's standard library is needed. The checkpoint is data: its pickle is read by the small interpreter
below, which can build tensors, numbers, text, lists, tuples and dictionaries, and calls nothing else.
"""
import argparse
import array
import json
import math
import os
import pickletools
import re
import struct
import sys
import zipfile

MOST_VALUES = 1 << 28   # of all tensors together
MOST_PICKLE = 64 << 20  # bytes
FAST_BETAS = [1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5]  # DiffWave, appendix B


class Refused(Exception):
    """The checkpoint cannot be imported; the message says why and what to do."""


# ---- the pickle: an interpreter that knows tensors and nothing else ----

class Function:
    """A name that the pickle may call: what it makes is decided here, not by the pickle."""

    def __init__(self, name, make):
        self.name, self.make = name, make


class StorageType:
    def __init__(self, name, width):
        self.name, self.width = name, width


class Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count


class Tensor:
    def __init__(self, storage, offset, shape, stride):
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride


def whole(*values):
    return all(type(v) is int and 0 <= v <= MOST_VALUES for v in values)


def make_tensor(arguments):
    if len(arguments) < 4:
        raise Refused("a tensor is described by too few values")
    storage, offset, shape, stride = arguments[:4]
    if not (isinstance(storage, Storage) and isinstance(shape, tuple) and isinstance(stride, tuple)
            and len(shape) == len(stride) <= 8 and whole(offset, *shape, *stride)):
        raise Refused("a tensor's description makes no sense")
    return Tensor(storage, offset, shape, stride)


def make_dictionary(arguments):
    if arguments and arguments != ([],):
        raise Refused("an OrderedDict is built in an unusual way; save the checkpoint again with PyTorch 1.6 or later")
    return {}


GLOBALS = {
    ("collections", "OrderedDict"): Function("OrderedDict", make_dictionary),
    ("torch._utils", "_rebuild_tensor_v2"): Function("tensor", make_tensor),
    ("torch", "FloatStorage"): StorageType("float32", 4),
    ("torch", "HalfStorage"): StorageType("float16", 2),
    ("torch", "BFloat16Storage"): StorageType("bfloat16", 2),
    ("torch", "DoubleStorage"): StorageType("float64", 8),
}


def find_global(module, name):
    found = GLOBALS.get((module, name))
    if found is None:
        raise Refused("it asks for %s.%s, which is no tensor; a weights file does not need that. Refused: nothing "
                      "of it was run" % (ascii(module)[1:-1][:80], ascii(name)[1:-1][:80]))
    return found


def find_storage(identity):
    if not (isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"
            and isinstance(identity[1], StorageType) and isinstance(identity[2], str)
            and re.fullmatch(r"[0-9]{1,9}", identity[2]) and whole(identity[4])):
        raise Refused("a tensor's storage is described in a way that PyTorch does not write")
    return Storage(identity[1], identity[2], identity[4])


MARK = object()


class Machine:
    """Runs a pickle's opcodes on a stack of plain data."""

    def __init__(self):
        self.stack, self.memo, self.result = [], {}, None

    def pop(self):
        if not self.stack or self.stack[-1] is MARK:
            raise Refused("its pickle is damaged (stack empty)")
        return self.stack.pop()

    def pop_to_mark(self):
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is MARK:
                values = self.stack[i + 1:]
                del self.stack[i:]
                return values
        raise Refused("its pickle is damaged (no mark)")

    def top(self, kind):
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise Refused("its pickle is damaged (%s expected)" % kind.__name__)
        return self.stack[-1]

    def set_items(self, values):
        target = self.top(dict)
        if len(values) % 2:
            raise Refused("its pickle is damaged (a key without a value)")
        for key, value in zip(values[::2], values[1::2]):
            if not isinstance(key, (str, int)):
                raise Refused("a dictionary has keys that are neither text nor numbers")
            target[key] = value

    def call(self):
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Function) or not isinstance(arguments, tuple):
            raise Refused("its pickle calls something that is no tensor. Refused: nothing of it was run")
        self.stack.append(function.make(arguments))

    def step(self, name, argument):
        """One opcode. Returns True at the end."""
        if name in ("PROTO", "FRAME"):
            pass
        elif name == "STOP":
            self.result = self.pop()
            return True
        elif name == "MARK":
            self.stack.append(MARK)
        elif name in ("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "FLOAT", "BINFLOAT", "UNICODE",
                      "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"):
            self.stack.append(argument)
        elif name in ("NONE", "NEWTRUE", "NEWFALSE"):
            self.stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            self.stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.top(object)
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            if argument not in self.memo:
                raise Refused("its pickle is damaged (unknown memo)")
            self.stack.append(self.memo[argument])
        elif name == "TUPLE":
            self.stack.append(tuple(self.pop_to_mark()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            values = [self.pop() for _ in range(int(name[-1]))]
            self.stack.append(tuple(reversed(values)))
        elif name == "APPEND":
            value = self.pop()
            self.top(list).append(value)
        elif name == "APPENDS":
            values = self.pop_to_mark()
            self.top(list).extend(values)
        elif name == "SETITEM":
            value, key = self.pop(), self.pop()
            self.set_items([key, value])
        elif name == "SETITEMS":
            self.set_items(self.pop_to_mark())
        elif name == "GLOBAL":
            self.stack.append(find_global(*(argument.split(" ", 1) + [""])[:2]))
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            self.stack.append(find_global(str(module), str(attribute)))
        elif name == "BINPERSID":
            self.stack.append(find_storage(self.pop()))
        elif name == "REDUCE":
            self.call()
        elif name == "BUILD":  # a state dict's _metadata: not needed
            self.pop()
            self.top(dict)
        else:
            raise Refused("its pickle uses the opcode %s, which weights do not need. Refused: nothing of it was run"
                          % name)
        return False


def run_pickle(data):
    machine = Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if machine.step(opcode.name, argument):
                return machine.result
    except Refused:
        raise
    except Exception as error:  # pickletools on damaged bytes
        raise Refused("its pickle is damaged (%s)" % str(error)[:100])
    raise Refused("its pickle ends too early")


# ---- the zip ----

class Checkpoint:
    def __init__(self, path):
        with open(path, "rb") as file:
            start = file.read(4)
        if start[:2] != b"PK":
            raise Refused(
                "not PyTorch's zip format (PyTorch 1.6 or later). If it is an older checkpoint that you trust, convert "
                "it where PyTorch is installed: python3 -c \"import torch, sys; torch.save(torch.load(sys.argv[1], "
                "map_location='cpu'), sys.argv[2])\" OLD.pt NEW.pt")
        try:
            self.zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise Refused("not a whole zip file (%s)" % error)
        pickles = [n for n in self.zip.namelist() if re.fullmatch(r"[^/]+/data\.pkl", n)]
        if len(pickles) != 1:
            raise Refused("no PyTorch checkpoint: it has %d entries NAME/data.pkl, expected one" % len(pickles))
        self.root = pickles[0][:-len("data.pkl")]
        order = self.root + "byteorder"
        if order in self.zip.namelist() and self.read(order, 16).strip() != b"little":
            raise Refused("it was saved on a big-endian machine, which is not supported")
        self.content = run_pickle(self.read(pickles[0], MOST_PICKLE))

    def read(self, name, most):
        try:
            info = self.zip.getinfo(name)
            if info.file_size > most:
                raise Refused("the entry %s has %d bytes, expected at most %d" % (name, info.file_size, most))
            with self.zip.open(info) as entry:
                data = entry.read(most + 1)
        except KeyError:
            raise Refused("the entry %s is missing: the file is truncated or damaged" % name)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise Refused("the entry %s cannot be read (%s)" % (name, error))
        if len(data) > most:
            raise Refused("the entry %s is larger than it says" % name)
        return data

    def values(self, name, tensor):
        """A tensor's elements as an array of float32, in C order."""
        count, expected = 1, []
        for size in reversed(tensor.shape):
            expected.append(count)
            count *= size
        stride = tuple(reversed(expected))
        if any(size > 1 and a != b for size, a, b in zip(tensor.shape, tensor.stride, stride)):
            raise Refused("the tensor %s is a view of another one (strides %s); save a contiguous copy"
                          % (name, list(tensor.stride)))
        storage = tensor.storage
        if tensor.offset + count > storage.count:
            raise Refused("the tensor %s reaches beyond its storage" % name)
        width = storage.kind.width
        data = self.read(self.root + "data/" + storage.key, storage.count * width)
        if len(data) != storage.count * width:
            raise Refused("the storage of %s has %d bytes, expected %d" % (name, len(data), storage.count * width))
        values = to_float32(storage.kind.name, data[tensor.offset * width:(tensor.offset + count) * width])
        if not all(map(math.isfinite, values)):
            raise Refused("the tensor %s holds NaN or infinity: the weights are broken" % name)
        return values


def to_float32(kind, data):
    if kind == "float16":
        return array.array("f", struct.unpack("<%de" % (len(data) // 2), data))
    if kind == "bfloat16":  # the upper half of a float32
        wide = bytearray(2 * len(data))
        wide[2::4], wide[3::4] = data[0::2], data[1::2]
        data, kind = bytes(wide), "float32"
    values = array.array("f" if kind == "float32" else "d", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values if kind == "float32" else array.array("f", values)


# ---- DiffWave ----

def state_and_parameters(content):
    if not isinstance(content, dict):
        raise Refused("no checkpoint: it holds no dictionary")
    params = content.get("params")
    state = content["model"] if isinstance(content.get("model"), dict) else content
    state = {k: v for k, v in state.items() if isinstance(v, Tensor)}
    if state and all(str(k).startswith("module.") for k in state):
        state = {k[len("module."):]: v for k, v in state.items()}
    if "input_projection.weight" not in state:
        raise Refused("no DiffWave: it has no tensor input_projection.weight")
    return state, params if isinstance(params, dict) else {}


class Sizes:
    """The network's sizes, as its tensors have them."""

    def __init__(self, state):
        self.channels = self.shape(state, "input_projection.weight", 3)[0]
        self.hidden = self.shape(state, "diffusion_embedding.projection1.weight", 2)[0]
        self.layers = 0
        while "residual_layers.%d.dilated_conv.weight" % self.layers in state:
            self.layers += 1
        if not 1 <= self.layers <= 128:
            raise Refused("it has %d residual layers, expected 1 to 128" % self.layers)
        if "spectrogram_upsampler.conv1.weight" not in state:
            raise Refused("it is an unconditional DiffWave (no spectrogram_upsampler): it cannot follow a mel")
        upsampler = self.shape(state, "spectrogram_upsampler.conv1.weight", 4)
        second = self.shape(state, "spectrogram_upsampler.conv2.weight", 4)
        if upsampler != (1, 1, 3, 32) or second != (1, 1, 3, 32):
            raise Refused("its upsampler has kernels %s and %s, so its hop is not 256; only a hop of 256 (two of "
                          "[1, 1, 3, 32]) can be imported" % (list(upsampler), list(second)))
        self.bands = self.shape(state, "residual_layers.0.conditioner_projection.weight", 3)[1]

    @staticmethod
    def shape(state, name, dimensions):
        if name not in state:
            raise Refused("no DiffWave: it has no tensor %s" % name)
        if len(state[name].shape) != dimensions:
            raise Refused("the tensor %s has shape %s, expected %d dimensions"
                          % (name, list(state[name].shape), dimensions))
        return state[name].shape

    def tensors(self):
        """Every tensor of the network and its shape, in the file's order."""
        c, hidden, bands = self.channels, self.hidden, self.bands
        shapes = {"input_projection": (c, 1, 1),
                  "diffusion_embedding.projection1": (hidden, 128),
                  "diffusion_embedding.projection2": (hidden, hidden),
                  "spectrogram_upsampler.conv1": (1, 1, 3, 32),
                  "spectrogram_upsampler.conv2": (1, 1, 3, 32)}
        for i in range(self.layers):
            layer = "residual_layers.%d." % i
            shapes[layer + "dilated_conv"] = (2 * c, c, 3)
            shapes[layer + "diffusion_projection"] = (c, hidden)
            shapes[layer + "conditioner_projection"] = (2 * c, bands, 1)
            shapes[layer + "output_projection"] = (2 * c, c, 1)
        shapes["skip_projection"] = (c, c, 1)
        shapes["output_projection"] = (1, c, 1)
        for name, shape in shapes.items():
            yield name + ".weight", shape
            yield name + ".bias", shape[:1]


def number(params, name, default, least, most):
    value = params.get(name, default)
    if type(value) not in (int, float) or not least <= value <= most:
        raise Refused("params.%s is %s, expected a number from %g to %g" % (name, str(value)[:40], least, most))
    return int(value) if float(value).is_integer() else value


def betas(params, notes):
    schedule = params.get("noise_schedule")
    if schedule is None:
        notes.append("no params.noise_schedule: DiffWave's usual one assumed (50 steps, 1e-4 to 0.05)")
        return 50, 1e-4, 0.05
    if not (isinstance(schedule, list) and 2 <= len(schedule) <= 4096
            and all(type(b) is float and 0 < b < 1 for b in schedule)):
        raise Refused("params.noise_schedule is no list of 2 to 4096 numbers between 0 and 1")
    steps, first, last = len(schedule), schedule[0], schedule[-1]
    for i, b in enumerate(schedule):
        if abs(b - (first + (last - first) * i / (steps - 1))) > 1e-6 * max(first, last):
            raise Refused("params.noise_schedule is not linear (step %d); only linear ones can be imported" % i)
    return steps, first, last


def fast_fits(steps, first, last):
    """Whether the six levels of the fast schedule lie among the training levels."""
    def roots(values):
        product, out = 1.0, []
        for b in values:
            product *= 1 - b
            out.append(math.sqrt(product))
        return out
    training = roots([first + (last - first) * i / (steps - 1) for i in range(steps)])
    fast = roots(FAST_BETAS)
    return fast[0] <= training[0] + 1e-9 and fast[-1] >= training[-1] - 1e-9


def configuration(sizes, params, options, notes):
    hop = number(params, "hop_samples", 256, 1, 1 << 20)
    if hop != 256:
        raise Refused("its hop is %s samples; only a hop of 256 can be imported, because DiffWave's upsampling "
                      "is fixed at 16 x 16" % hop)
    bands = number(params, "n_mels", sizes.bands, 1, 512)
    if bands != sizes.bands:
        raise Refused("params.n_mels is %s, but its tensors are for %d bands" % (bands, sizes.bands))
    if options.sample_rate is not None:
        rate = options.sample_rate
    else:
        if "sample_rate" not in params:
            notes.append("no params.sample_rate: 22050 Hz assumed (--sample-rate says otherwise)")
        rate = number(params, "sample_rate", 22050, 1000, 384000)
    if options.dilation_cycle is not None:
        cycle = options.dilation_cycle
    else:
        if "dilation_cycle_length" not in params:
            notes.append("no params.dilation_cycle_length: 10 assumed (--dilation-cycle says otherwise)")
        cycle = number(params, "dilation_cycle_length", 10, 1, 17)
    n_fft = number(params, "n_fft", 1024, 16, 16384)
    steps, first, last = betas(params, notes)
    fast = fast_fits(steps, first, last)
    if not fast:
        notes.append("its training schedule does not reach the levels of the fast schedule: ddim is its sampler")
    elif params.get("inference_noise_schedule", FAST_BETAS) != FAST_BETAS:
        notes.append("its own inference schedule is not kept: the fast schedule is DiffWave's published one")
    dilations = [1 << (i % cycle) for i in range(sizes.layers)]
    return {
        "format": 1, "family": "diffwave", "name": options.name, "licence": options.licence,
        "mel": {"convention": "diffwave", "sample_rate": rate, "n_fft": n_fft, "window": min(1024, n_fft), "hop": 256,
                "bands": bands, "fmin": 20, "fmax": rate / 2, "scale": "htk", "compression": "diffwave",
                "floor": 1e-5, "magnitude_epsilon": 0, "centred": True, "normalized_window": True},
        "network": {"patch": 1, "channels": sizes.channels, "layers": sizes.layers, "kernel": 3, "input_relu": True,
                    "whitened": False, "tilt_hz": 0, "dilations": dilations, "look_ahead": dilations,
                    "embedding": {"frequencies": 64, "from": 1, "to": 10000, "hidden": sizes.hidden}},
        "process": {"objective": "noise", "schedule": {"kind": "betas", "training_steps": steps, "beta_first": first,
                                                       "beta_last": last}},
        "synthesis": {"sampler": "fast" if fast else "ddim", "steps": 6, "eta": 0, "refine": 0, "refine_window": 0,
                      "refine_momentum": 0.9,
                      "low_latency": {"steps": 6, "refine": 0, "refine_window": 0}},
    }


def convert(options, notes):
    checkpoint = Checkpoint(options.input)
    state, params = state_and_parameters(checkpoint.content)
    sizes = Sizes(state)
    config = configuration(sizes, params, options, notes)
    total, header, tensors = 0, {"__metadata__": {"lull": json.dumps(config)}}, []
    for name, shape in sizes.tensors():
        if Sizes.shape(state, name, len(shape)) != shape:
            raise Refused("the tensor %s has shape %s, expected %s" % (name, list(state[name].shape), list(shape)))
        values = checkpoint.values(name, state[name])
        if sys.byteorder == "big":
            values.byteswap()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [4 * total, 4 * (total + len(values))]}
        total += len(values)
        if total > MOST_VALUES:
            raise Refused("it has more than %d weights" % MOST_VALUES)
        tensors.append(values)
    unused = [k for k in state if k not in header and k != "diffusion_embedding.embedding"]
    if unused:
        raise Refused("the tensor %s is not DiffWave's; the checkpoint is of another network" % ascii(unused[0])[:80])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return config, total, [struct.pack("<Q", len(text)), text] + tensors


def write(path, parts):
    """Beside the target, synced, renamed: a model appears whole or not at all."""
    temporary = "%s.%d.tmp" % (path, os.getpid())
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def main():
    parser = argparse.ArgumentParser(description="Turns a DiffWave checkpoint into a lull model.")
    parser.add_argument("input", metavar="IN.pt", help="weights.pt of lmnt-com/diffwave, or a bare state dict")
    parser.add_argument("output", metavar="OUT.safetensors")
    parser.add_argument("--name", help="the model's name (default: the output's)")
    parser.add_argument("--licence", default="", help="SPDX expression of the weights' licence (default: none said)")
    parser.add_argument("--sample-rate", type=int, help="Hz, where the checkpoint does not say (default 22050)")
    parser.add_argument("--dilation-cycle", type=int, choices=range(1, 18), metavar="N",
                        help="layers in a dilation cycle, where the checkpoint does not say (default 10)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    options = parser.parse_args()
    if options.name is None:
        options.name = os.path.splitext(os.path.basename(options.output))[0][:60]
    notes = []
    try:
        config, total, parts = convert(options, notes)
        write(options.output, parts)
    except Refused as reason:
        sys.exit("import_diffwave.py: %s: %s" % (options.input, reason))
    except OSError as error:
        sys.exit("import_diffwave.py: %s" % error)
    if not options.quiet:
        for note in notes:
            print("note: " + note)
        network = config["network"]
        print("%s: DiffWave, %d layers of %d channels, %d weights, %d Hz" % (
            options.output, network["layers"], network["channels"], total, config["mel"]["sample_rate"]))


if __name__ == "__main__":
    main()
