#!/usr/bin/env python3
"""liblull from Python through ctypes: no compiler, no packages.

    lull_ctypes.py MODEL.safetensors mel.npy out.wav     a mel spectrogram [bands, frames] to speech

As a module: Model(path), Vocoder(model, ...), vocoder.speak(frames) and vocoder.stream(frames). Frames are anything
that array.array("f", ...) or a buffer of float32 gives, frame after frame; NumPy arrays of shape [frames, bands] too.
$LULL_LIBRARY names the library where the system does not find liblull.
"""
import array
import ast
import ctypes
import ctypes.util
import os
import sys
import wave

LIVE, LOW_LATENCY, OFFLINE = 0, 1, 2

# ---- lull.h, what of it is used here --------------------------------------------------------------------------------


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Info(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("family", ctypes.c_char_p), ("objective", ctypes.c_char_p),
                ("convention", ctypes.c_char_p), ("licence", ctypes.c_char_p), ("sample_rate", ctypes.c_int),
                ("bands", ctypes.c_int), ("hop", ctypes.c_int), ("n_fft", ctypes.c_int)]  # and more behind


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("seed", ctypes.c_uint64), ("steps", ctypes.c_int),
                ("sampler", ctypes.c_int), ("eta", ctypes.c_float), ("refine", ctypes.c_int),
                ("refine_window", ctypes.c_int), ("use", ctypes.c_int), ("threads", ctypes.c_int),
                ("precision", ctypes.c_int), ("queue_frames", ctypes.c_size_t),
                ("refine_momentum", ctypes.c_float), ("postnet", ctypes.c_int)]


def load():
    library = ctypes.CDLL(os.environ.get("LULL_LIBRARY") or ctypes.util.find_library("lull") or "liblull.so.0")
    pointer, size, error = ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(Error)
    floats, sizes = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_size_t)
    for name, result, arguments in (
            ("lull_model_open", ctypes.c_int, [ctypes.c_char_p, ctypes.POINTER(pointer), error]),
            ("lull_model_close", None, [pointer]),
            ("lull_model_get_info", ctypes.POINTER(Info), [pointer]),
            ("lull_options_init_sized", None, [ctypes.POINTER(Options), size]),
            ("lull_vocoder_new", ctypes.c_int, [pointer, ctypes.POINTER(Options), ctypes.POINTER(pointer), error]),
            ("lull_vocoder_push", ctypes.c_int, [pointer, floats, size, sizes, error]),
            ("lull_vocoder_pull", ctypes.c_int, [pointer, floats, size, sizes, error]),
            ("lull_vocoder_finish", ctypes.c_int, [pointer]),
            ("lull_vocoder_ended", ctypes.c_bool, [pointer]),
            ("lull_vocoder_reset", None, [pointer, ctypes.c_uint64]),
            ("lull_vocoder_free", None, [pointer])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


LULL = load()


class LullError(Exception):
    pass


def check(status, error):
    if status:
        raise LullError(error.message.decode())


# ---- objects --------------------------------------------------------------------------------------------------------


class Model:
    def __init__(self, path):
        self.pointer = ctypes.c_void_p()
        error = Error()
        check(LULL.lull_model_open(os.fsencode(path), ctypes.byref(self.pointer), error), error)
        info = LULL.lull_model_get_info(self.pointer).contents
        self.name, self.convention = info.name.decode(), info.convention.decode()
        self.sample_rate, self.bands, self.hop = info.sample_rate, info.bands, info.hop

    def __del__(self):
        LULL.lull_model_close(self.pointer)


class Vocoder:
    def __init__(self, model, seed=0, use=LIVE, threads=1, **more):
        options, error = Options(), Error()
        LULL.lull_options_init_sized(options, ctypes.sizeof(Options))
        for name, value in dict(more, seed=seed, use=use, threads=threads).items():
            setattr(options, name, value)
        self.model, self.seed = model, seed  # the model must outlive the vocoder
        self.pointer = ctypes.c_void_p()
        check(LULL.lull_vocoder_new(model.pointer, options, ctypes.byref(self.pointer), error), error)

    def __del__(self):
        LULL.lull_vocoder_free(self.pointer)

    def _pull(self):
        samples, produced, error = (ctypes.c_float * 4096)(), ctypes.c_size_t(), Error()
        while True:
            check(LULL.lull_vocoder_pull(self.pointer, samples, len(samples), produced, error), error)
            if not produced.value:
                return
            yield array.array("f", samples[:produced.value])

    def stream(self, pieces):
        """Yields arrays of samples as pieces of frames (any whole number of frames each) come in."""
        accepted, error = ctypes.c_size_t(), Error()
        LULL.lull_vocoder_reset(self.pointer, self.seed)
        for piece in pieces:
            values = array.array("f", memoryview(piece).cast("B").tobytes())
            frames, rest = (ctypes.c_float * len(values)).from_buffer(values), len(values) // self.model.bands
            done = 0
            while rest:
                start = ctypes.cast(ctypes.byref(frames, 4 * done * self.model.bands), ctypes.POINTER(ctypes.c_float))
                check(LULL.lull_vocoder_push(self.pointer, start, rest, accepted, error), error)
                done, rest = done + accepted.value, rest - accepted.value
                yield from self._pull()
        LULL.lull_vocoder_finish(self.pointer)
        yield from self._pull()

    def speak(self, frames):
        """All of it at once."""
        out = array.array("f")
        for samples in self.stream([frames]):
            out.extend(samples)
        return out


# ---- files ----------------------------------------------------------------------------------------------------------


def read_mel(path, bands):
    """Frame after frame from a float32 .npy of shape [bands, frames], as numpy.save writes it."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:10 + length].decode())
    shape = [side for side in header["shape"] if side != 1]
    if header["descr"] != "<f4" or header["fortran_order"] or len(shape) != 2 or shape[0] != bands:
        raise LullError("%s: expected float32 of shape [%d, frames]" % (path, bands))
    values = array.array("f", data[10 + length:])
    return array.array("f", (values[b * shape[1] + f] for f in range(shape[1]) for b in range(bands)))


def write_wav(path, samples, rate):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", (round(32767 * max(-1, min(1, s))) for s in samples)).tobytes())


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: lull_ctypes.py MODEL mel.npy out.wav")
    try:
        model = Model(sys.argv[1])
        samples = Vocoder(model, use=OFFLINE).speak(read_mel(sys.argv[2], model.bands))
        write_wav(sys.argv[3], samples, model.sample_rate)
    except (LullError, OSError) as error:
        sys.exit(str(error))
    print("%s: %d samples at %d Hz" % (model.name, len(samples), model.sample_rate))


if __name__ == "__main__":
    main()
