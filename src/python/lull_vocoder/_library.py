"""liblull through ctypes: what lull.h declares, of what the package uses. Calls release the GIL."""
import ctypes
import os
import re
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_size_t, c_uint64, c_void_p
from typing import Any

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))


class LullError(Exception):
    """Something that cannot be done, in one line: what was found, what was expected, what to do."""


class NotFiniteError(LullError, ValueError):
    """NaN or infinity in the input, or made by the network."""


class MismatchError(LullError, ValueError):
    """Well-formed, but not for this model: another mel convention, another scale, another rate."""


class InvalidError(LullError, ValueError):
    """An argument out of its range."""


class UnsupportedError(LullError):
    """Valid, but not done by this model, build or machine."""


class Error(ctypes.Structure):
    _fields_ = [("status", c_int), ("message", c_char * 512)]


class ModelInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("family", c_char_p), ("objective", c_char_p), ("convention", c_char_p),
                ("licence", c_char_p), ("sample_rate", c_int), ("bands", c_int), ("hop", c_int), ("n_fft", c_int),
                ("default_steps", c_int), ("default_refine", c_int), ("default_refine_window", c_int), ("parameters", c_size_t),
                ("flops_per_second", c_double), ("window", c_int), ("centred", c_bool), ("padding", c_char_p),
                ("magnitude_epsilon", c_double), ("normalized_window", c_bool), ("power", c_int), ("fmin", c_double),
                ("fmax", c_double), ("scale", c_char_p), ("norm", c_char_p), ("filter_rate", c_int), ("floor", c_double),
                ("floor_added", c_bool), ("compression", c_char_p), ("gain", c_double), ("offset", c_double),
                ("clip_low", c_double), ("clip_high", c_double), ("mean", POINTER(c_float)), ("deviation", POINTER(c_float))]


class ConventionInfo(ctypes.Structure):
    _fields_ = [("name", c_char * 32), ("sample_rate", c_int), ("bands", c_int), ("hop", c_int), ("n_fft", c_int)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("seed", c_uint64), ("steps", c_int), ("sampler", c_int),
                ("eta", c_float), ("refine", c_int), ("refine_window", c_int), ("use", c_int), ("threads", c_int),
                ("precision", c_int), ("queue_frames", c_size_t), ("refine_momentum", c_float), ("postnet", c_int),
                ("memory_limit", c_uint64), ("pull_work", c_int), ("unchecked", c_int), ("pool", c_void_p),
                ("convention", c_char_p), ("source", c_int), ("crossover", c_float), ("transpose", c_float),
                ("bandwidth", c_int), ("pitch_model", c_void_p), ("refine_low", c_int), ("reserved", c_int)]


_FLOATS, _SIZES, _ERROR, _HANDLE = POINTER(c_float), POINTER(c_size_t), POINTER(Error), POINTER(c_void_p)

_FUNCTIONS = {
    "lull_version": (c_char_p, []),
    "lull_model_open": (c_int, [c_char_p, _HANDLE, _ERROR]),
    "lull_model_close": (None, [c_void_p]),
    "lull_model_get_info": (POINTER(ModelInfo), [c_void_p]),
    "lull_convention_find": (c_int, [c_char_p, POINTER(ConventionInfo), _ERROR]),
    "lull_options_init_sized": (None, [POINTER(Options), c_size_t]),
    "lull_latency": (c_int, [c_void_p, POINTER(Options), _SIZES, _ERROR]),
    "lull_synthesize": (c_int, [c_void_p, POINTER(Options), _FLOATS, c_size_t, _FLOATS, _ERROR]),
    "lull_vocoder_new": (c_int, [c_void_p, POINTER(Options), _HANDLE, _ERROR]),
    "lull_vocoder_push": (c_int, [c_void_p, _FLOATS, c_size_t, _SIZES, _ERROR]),
    "lull_vocoder_push_pitch": (c_int, [c_void_p, _FLOATS, _FLOATS, c_size_t, _SIZES, _ERROR]),
    "lull_vocoder_pull": (c_int, [c_void_p, _FLOATS, c_size_t, _SIZES, _ERROR]),
    "lull_vocoder_finish": (c_int, [c_void_p]),
    "lull_vocoder_wait": (c_int, [c_void_p, c_int, c_double]),
    "lull_vocoder_ended": (c_bool, [c_void_p]),
    "lull_vocoder_latency": (c_size_t, [c_void_p]),
    "lull_vocoder_free": (None, [c_void_p]),
    "lull_mel_new_of": (c_int, [c_char_p, _HANDLE, _ERROR]),
    "lull_mel_new": (c_int, [c_void_p, _HANDLE, _ERROR]),
    "lull_mel_push": (c_int, [c_void_p, _FLOATS, c_size_t, _ERROR]),
    "lull_mel_pull": (c_int, [c_void_p, _FLOATS, c_size_t, _SIZES, _ERROR]),
    "lull_mel_finish": (c_int, [c_void_p, _ERROR]),
    "lull_mel_free": (None, [c_void_p]),
}


def _find() -> str:
    """$LULL_LIBRARY, else the library inside the package, else the one that the system has."""
    named = os.environ.get("LULL_LIBRARY")
    if named:
        return named
    inside = os.path.join(HERE, "liblull.so")
    return inside if os.path.exists(inside) else "liblull.so.0"


def _load() -> ctypes.CDLL:
    path = _find()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"{path}: {error}; build the package anew with pip, or name the library in "
                          "LULL_LIBRARY") from None
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


lull = _load()

_KINDS = {1: InvalidError, 2: MemoryError, 3: OSError, 5: MismatchError, 6: NotFiniteError, 7: UnsupportedError}


# What the library's lines call by the program's options, as this package calls it.
_TERMS = [(re.compile(pattern), term) for pattern, term in (
    (r"--statistics FILE", "statistics="),
    (r"--from (range:[-\d.,]+:MIN,MAX|[a-z][a-z\d-]*)", r"from_='\1'"),
    (r"(?<!\S)-c ([\w-]+(?:,\w+=[\w.-]+)*)", r"convention='\1'"),
    (r"(?<!\S)-c\b", "convention="),
    (r"'lull synth --explain-mel' shows [\w ]+, --force goes on", "checks=False goes on"),
    (r"--layout", "layout="),
    (r"\bpitch_model\b", "pitch="),
    (r"'lull info --conventions(?: --json)?' (says|shows)", r"docs/any-mel.md \1"))]


def in_our_terms(line: str) -> str:
    """A line of the library, which speaks of the program's options, in the terms of this package."""
    for pattern, term in _TERMS:
        line = pattern.sub(term, line)
    return line


def check(status: int, error: Error) -> None:
    """Raises what a status says, with the library's one line."""
    if status:
        raise _KINDS.get(status, LullError)(in_our_terms(error.message.decode("utf-8", "replace")))


def floats(array: numpy.ndarray) -> Any:
    return array.ctypes.data_as(_FLOATS)
