"""What callers give, as contiguous float32 frames and samples; without importing what they use."""
from typing import Any, Optional, Tuple

import numpy


def as_array(value: Any, what: str) -> numpy.ndarray:
    """NumPy arrays, and anything with __array__ or DLPack (PyTorch, JAX …), as a NumPy array of numbers."""
    if hasattr(value, "detach"):  # a PyTorch tensor may want gradients, or be on a device
        value = value.detach()
    if hasattr(value, "cpu"):
        value = value.cpu()
    if "bfloat16" in str(getattr(value, "dtype", "")) and hasattr(value, "float"):
        value = value.float()
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = numpy.from_dlpack(value)
    if numpy.ma.is_masked(value):
        raise ValueError(f"{what}: some of its numbers are masked; give them values first (filled)")
    try:
        array = numpy.asarray(value)
    except Exception as error:
        raise TypeError(f"{what}: expected an array of numbers, found {type(value).__name__} ({error})") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{what}: expected an array of floats, found dtype {array.dtype}")
    return array


LAYOUTS = "bands-first", "frames-first"


def check_layout(layout: Optional[str]) -> Optional[str]:
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r}: expected 'bands-first' or 'frames-first'")
    return layout


def as_frames(mel: Any, bands: int, layout: Optional[str] = None,
              before: Optional[str] = None) -> Tuple[numpy.ndarray, Optional[str]]:
    """A mel spectrogram in any shape of the documented ones as float32 [frames, bands], C order, and the layout of it or of
    what came before. layout: what is said of it; before: how it is read where nothing is said and its shape shows nothing."""
    array = as_array(mel, "mel")
    shape = array.shape
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    check_layout(layout)
    if array.ndim == 1 and array.size == bands:  # one frame
        return _as_floats(array[None, :]), before
    if array.ndim != 2:
        raise ValueError(f"mel of shape {list(shape)}: expected [{bands}, T], [T, {bands}] or [1, {bands}, T]")
    rows, columns = array.shape
    if layout is None:
        if rows == bands and columns == bands:
            layout = before
        elif rows == bands:
            layout = "bands-first"
        elif columns == bands:
            layout = "frames-first"
        else:
            raise ValueError(f"mel of shape {list(shape)}: expected {bands} bands, [{bands}, T] or [T, {bands}]")
        if layout is None:
            raise ValueError(f"mel of shape {list(shape)} can be read both ways: say layout='bands-first' ([{bands}, T]) or "
                             f"'frames-first' ([T, {bands}]), here or to the Vocoder")
    if layout == "bands-first":
        array = array.T
    if array.shape[1] != bands:
        raise ValueError(f"mel of shape {list(shape)} as {layout}: expected {bands} bands, found {array.shape[1]}")
    return _as_floats(array), layout


def _as_floats(array: numpy.ndarray) -> numpy.ndarray:
    with numpy.errstate(over="ignore"):  # what is beyond float32 becomes infinite, which is refused by name
        return numpy.ascontiguousarray(array, dtype=numpy.float32)


def as_samples(samples: Any) -> numpy.ndarray:
    """A recording as float32 [samples]; integers are of their full scale."""
    array = as_array(samples, "samples")
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    if array.ndim > 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 1:
        raise ValueError(f"samples of shape {list(array.shape)}: expected one channel, [samples]")
    if array.dtype.kind in "iu":
        if array.dtype != numpy.int16:
            raise TypeError(f"samples of {array.dtype}: expected floats in [-1, 1], or int16")
        return numpy.ascontiguousarray(array, dtype=numpy.float32) / 32768
    highest = numpy.abs(array).max(initial=0)
    if numpy.isfinite(highest) and highest > 64:
        raise ValueError(f"samples up to {highest:g}: expected floats in [-1, 1] (of int16: divide by 32768)")
    return numpy.ascontiguousarray(array, dtype=numpy.float32)


def as_pitches(f0: Any, n: int) -> Optional[numpy.ndarray]:
    """Pitches of n frames as float32 [n], or None."""
    if f0 is None:
        return None
    array = numpy.atleast_1d(numpy.squeeze(as_array(f0, "f0")))
    if array.shape != (n,):
        raise ValueError(f"f0 of shape {list(array.shape)}: expected one number for each of the {n} frames")
    highest = numpy.fmax.reduce(array, initial=0)
    if 0 < highest < 12:
        raise ValueError(f"f0 up to {highest:g} looks like logarithms: expected Hz, 0 where there is no voice")
    return numpy.ascontiguousarray(array, dtype=numpy.float32)
