"""Vocoder: mels to samples, whole or as a stream; mel: samples to mels."""
import ctypes
import itertools
import numbers
import operator
import os
import sys
import threading
import time
import weakref
from ctypes import byref, c_size_t, c_void_p
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Union, overload

import numpy

from ._arrays import as_frames, as_pitches, as_samples, check_layout
from ._conventions import Convention, Mels, convention_text, mels_of
from ._library import HERE, Error, InvalidError, MismatchError, Options, UnsupportedError, check, floats, lull

USES = {"live": 0, "low-latency": 1, "offline": 2}
SOURCES = {None: 0, "noise": 1, "pitch": 2}
BANDWIDTHS = {None: 0, "mel": 1, "full": 2}
PRECISIONS = {"auto": 0, "float32": 1, "bfloat16": 2}
_ROOM, _SAMPLES = 1, 2  # lull_ready
_REAL = ("refine_momentum", "crossover", "transpose")
_PIECE = 4096           # samples of a pull
_SHORT = 1024           # of one whose samples are waited for
_NAP = 0.1              # seconds of sleep at most: Ctrl-C is seen between two
_END = object()         # what no iterable holds


# Of what the library takes for "as the model says" below 0.
_LIMITS = {"steps": (1, 1000), "refine": (0, 1000), "refine_low": (0, 1000), "refine_window": (0, 256), "postnet": (0, 1)}


def _whole(name: str, value: Any, low: int = 0, high: int = (1 << 31) - 1) -> int:
    """A whole number that fits into its field, where ctypes would cut it off."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, found {value!r}") from None
    if not low <= number <= high:
        raise InvalidError(f"{name} {number}: expected {low} to {high}")
    return number


def _free_with(owner: object, free: Callable[..., None], handle: c_void_p, needs: object = None) -> None:
    """Has `handle` freed when `owner` is gone, and `needs` kept until then. Not by __del__: of what goes in a circle Python
    calls that in any order. Not at exit: a thread may still be at work, and the system takes everything back."""
    weakref.finalize(owner, _free, free, handle, needs).atexit = False


def _free(free: Callable[..., None], handle: c_void_p, needs: object) -> None:
    free(handle)


class _Model:
    """A model file, open as long as this object, or a stream of it, is there."""

    def __init__(self, path: str):
        self.handle, error = c_void_p(), Error()
        check(lull.lull_model_open(os.fsencode(path), byref(self.handle), byref(error)), error)
        self.info = info = lull.lull_model_get_info(self.handle).contents
        self.mels = Mels(info.convention.decode(), info.sample_rate, info.bands, info.hop)
        _free_with(self, lull.lull_model_close, self.handle)


def _default_model() -> str:
    named = os.environ.get("LULL_MODEL")
    return named or os.path.join(HERE, "models", "lull-speech-22k.safetensors")


class Vocoder:
    """Mel spectrograms to speech.

    model: path of a model file; None: $LULL_MODEL, else the one inside the package; "none": no network, shaped noise
        and mel consistency alone (the classical baseline).
    convention: of the mels that will come: a name ("vocos-24k"; docs/any-mel.md lists them), a name with changes
        ("vocos-24k,floor=1e-5"), the path of a JSON file, or a dict of its members (docs/formats.md; `mean` and
        `deviation` may be one number each); None: the model's own. The output has its sample rate.
    statistics: mean and deviation of standardised mels, which are undone: a pair (mean, deviation), each a number or
        [bands], an array [2, bands] or [2], a dict of "mean" and "deviation", or the path of a file of them, .npy, .npz or .json.
    from_: the scale of the values, where it is not the convention's: "ln", "log10", "db" (20·log10), "linear", for
        filters over |S|² "ln-power", "log10-power", "power-db" (10·log10), "power"; or "range:LOW,HIGH:MIN,MAX[:SCALE]" for
        values that were mapped from MIN…MAX (of that scale; left out: the convention's values, for the model's own
        convention alone) to LOW…HIGH. statistics are those of the values in that scale.
    use: "offline" (the best quality; what calling the vocoder does by default), "live" or "low-latency" (what
        stream() does by default is "live"): which of the model's settings apply where the ones below are None.
    steps: of the reverse process, 1…1000. refine, refine_low, refine_window, refine_momentum: mel consistency
        iterations a frame, those of the band below 2.5 kHz alone, the frames kept open, their momentum (0 to below 1). postnet: whether mels are mended first (True for what
        acoustic models predict). seed: of the noise; the same seed gives the same samples, whole or as a stream.
        threads: 1…64; the samples do not depend on it. precision: "auto", "float32" or "bfloat16".
    source: "pitch" (the voice's own harmonics and noise, as a pitch network hears them in the mel, above `crossover` Hz;
        without a network everywhere), "noise", None: as the model says. pitch: path of the model whose pitch network is
        asked; None: the model's own, or, where it has none and the pitch source was asked for, the one inside the package.
        transpose: semitones by which that pitch is moved, -24…24; it asks for the pitch source, too.
    bandwidth: "full" (what lies above the mel's fmax too, to 12 kHz or half of the rate: the mel's envelope held where
        it ends, or what the model's bandwidth network guesses), "mel" (nothing there), None: full where the model says
        so (the default model does) or has such a network.
    checks: False takes finite frames of any scale; True refuses those that cannot be of the convention.
    layout: of the mels that will come, "bands-first" ([bands, T]) or "frames-first" ([T, bands]); None: as their shapes
        say, and a mel of as many frames as bands, which says nothing, is refused (in a stream: read as the one before).

    Raises OSError (no such file), LullError (not a model, not a file of statistics), InvalidError, MismatchError (statistics
    for another number of bands), UnsupportedError.

    A vocoder may be used by any number of threads at a time, and so may its streams beside one another.
    """

    def __init__(self, model: Union[str, "os.PathLike[str]", None] = None, *, convention: Optional[Convention] = None,
                 statistics: Any = None, from_: Optional[str] = None, use: Optional[str] = None,
                 steps: Optional[int] = None, refine: Optional[int] = None, refine_low: Optional[int] = None,
                 refine_window: Optional[int] = None, refine_momentum: Optional[float] = None,
                 postnet: Optional[bool] = None, seed: int = 0, threads: int = 1, precision: str = "auto",
                 source: Optional[str] = None, crossover: Optional[float] = None, transpose: float = 0,
                 pitch: Union[str, "os.PathLike[str]", None] = None, bandwidth: Optional[str] = None, checks: bool = True,
                 layout: Optional[str] = None):
        self._layout = check_layout(layout)
        self._settings: Dict[str, Any] = dict(use=use, steps=steps, refine=refine, refine_low=refine_low,
                                              refine_window=refine_window,
                                              refine_momentum=refine_momentum, postnet=postnet, seed=seed,
                                              threads=threads, precision=precision, checks=checks, source=source,
                                              crossover=crossover, transpose=transpose, bandwidth=bandwidth)
        self._pitch = _Model(os.fspath(pitch)) if pitch else None
        self._model = None if model == "none" else _Model(os.fspath(model) if model else _default_model())
        self._convention = convention_text(convention, self._model.info if self._model else None, statistics, from_)
        if self._model is None or self._convention is not None:
            if self._convention is None:
                self._convention = b"hifigan-22k"
            self._mels = mels_of(self._convention)
        else:
            self._mels = self._model.mels
        try:
            self._late("offline")  # says now what is wrong with them
        except UnsupportedError:
            if self._pitch or not (source == "pitch" or transpose):
                raise
            self._pitch = _Model(_default_model())
            self._late("offline")

    def __reduce__(self) -> Any:
        raise TypeError("a Vocoder can be neither copied nor pickled: make one in each process; threads may share one")

    @property
    def rate(self) -> int:
        """Samples a second of the output."""
        return self._mels.rate

    @property
    def bands(self) -> int:
        """Numbers in a mel frame."""
        return self._mels.bands

    @property
    def hop(self) -> int:
        """Samples that a mel frame becomes."""
        return self._mels.hop

    @property
    def convention(self) -> str:
        """Name of the mel convention that is read."""
        return self._mels.name

    @property
    def latency(self) -> float:
        """Seconds by which a stream is behind its frames (of "live", unless `use` says otherwise)."""
        return self._late("live") / self.rate

    def _late(self, use: str) -> int:
        error, samples, options = Error(), c_size_t(), self._options(use)
        check(lull.lull_latency(self._handle, byref(options), byref(samples), byref(error)), error)
        return samples.value

    @property
    def _handle(self) -> Optional[c_void_p]:
        return self._model.handle if self._model else None

    def _options(self, use: str, seed: Optional[int] = None) -> Options:
        s, options = self._settings, Options()
        lull.lull_options_init_sized(byref(options), ctypes.sizeof(options))
        use = s["use"] or use
        if use not in USES:
            raise InvalidError(f"use {use!r}: expected 'offline', 'live' or 'low-latency'")
        if s["precision"] not in PRECISIONS:
            raise InvalidError(f"precision {s['precision']!r}: expected 'auto', 'float32' or 'bfloat16'")
        if s["source"] not in SOURCES:
            raise InvalidError(f"source {s['source']!r}: expected 'pitch' or 'noise'")
        if s["bandwidth"] not in BANDWIDTHS:
            raise InvalidError(f"bandwidth {s['bandwidth']!r}: expected 'mel' or 'full'")
        options.seed = _whole("seed", s["seed"] if seed is None else seed, 0, (1 << 64) - 1)
        options.use, options.precision = USES[use], PRECISIONS[s["precision"]]
        options.threads, options.unchecked = _whole("threads", s["threads"], 1, 64), 0 if s["checks"] else 1
        for name in ("steps", "refine", "refine_low", "refine_window", "refine_momentum", "postnet", "crossover", "transpose"):
            value = s[name]
            if value is not None:
                setattr(options, name, float(value) if name in _REAL else _whole(name, value, *_LIMITS.get(name, (0,))))
        source = s["source"]
        if options.transpose:
            source = self._pitched("transpose")
        options.convention, options.source = self._convention, SOURCES[source]
        options.bandwidth = BANDWIDTHS[s["bandwidth"]]
        options.pitch_model = self._pitch.handle if self._pitch else None
        return options

    def _pitched(self, what: str) -> str:
        if self._settings["source"] == "noise":
            raise InvalidError(f"{what} is for the pitch source, and source is 'noise'")
        return "pitch"

    def _takes_f0(self) -> None:
        """Says so where pitches would be left unheard."""
        error, samples, options = Error(), c_size_t(), self._options("live")
        options.source = SOURCES[self._pitched("f0")]
        if lull.lull_latency(self._handle, byref(options), byref(samples), byref(error)):
            raise InvalidError("f0 is for the pitch source, which is not in use: say source='pitch'")

    def __call__(self, mel: Any, *, f0: Any = None, seed: Optional[int] = None,
                 layout: Optional[str] = None) -> numpy.ndarray:
        """A whole utterance. mel: [bands, T], [T, bands] or [1, bands, T], any float type and strides; NumPy arrays and
        whatever has __array__ or DLPack (PyTorch). layout: as the Vocoder's, of this mel. f0: [T], the
        pitch at the middle of every frame in Hz, 0 where there is no voice, NaN where it is not known, for the pitch
        source; None: the pitch network hears it in the mel. Returns float32 [T · hop] in [-1, 1]. Raises MismatchError for mels that cannot be of the convention, NotFiniteError
        for NaN and infinities, ValueError for another shape."""
        frames, _ = as_frames(mel, self._mels.bands, layout or self._layout)
        if f0 is not None:
            self._takes_f0()
            stream = Stream(self, seed, "frames-first", "offline", pitched=True)
            return numpy.concatenate([*stream._run([frames], [f0]), numpy.zeros(0, numpy.float32)])
        samples, error, options = numpy.zeros(len(frames) * self._mels.hop, numpy.float32), Error(), self._options("offline", seed)
        check(lull.lull_synthesize(self._handle, byref(options), floats(frames), len(frames), floats(samples),
                                   byref(error)), error)
        return samples

    @overload
    def stream(self, frames: None = None, *, f0: None = None, seed: Optional[int] = None,
               layout: Optional[str] = None) -> "Stream": ...

    @overload
    def stream(self, frames: Iterable[Any], *, f0: Optional[Iterable[Any]] = None, seed: Optional[int] = None,
               layout: Optional[str] = None) -> Iterator[numpy.ndarray]: ...

    def stream(self, frames: Optional[Iterable[Any]] = None, *, f0: Optional[Iterable[Any]] = None,
               seed: Optional[int] = None, layout: Optional[str] = None) -> "Union[Stream, Iterator[numpy.ndarray]]":
        """Without `frames`: a Stream to push into and pull from. With an iterable of mels (one frame or several each):
        a generator of the samples, each as soon as it can be, float32 pieces of any length. f0: the pitches of every one
        of these mels, as calling the vocoder takes them: an iterable beside `frames`, whose pieces are [n], or None where
        they are not known. One array, [bands, T], [T, bands] or [1, bands, T], is one mel, and f0 its pitches, [T].
        Raises as calling the vocoder does, when the piece is asked for, and ValueError when f0 ends before the frames."""
        if frames is None:
            if f0 is not None:
                raise InvalidError("f0 goes with frames: a stream without them takes it in push(mel, f0)")
            return Stream(self, seed, layout)
        if _is_one_mel(frames):
            frames, f0 = [frames], None if f0 is None else [f0]
        if f0 is None:
            return Stream(self, seed, layout)._run(frames)
        self._takes_f0()
        return Stream(self, seed, layout, pitched=True)._run(frames, f0)


def _is_one_mel(frames: Any) -> bool:
    """An array, whose rows would else be taken for mels; not one of several mels, [n, bands, T]."""
    shape = getattr(frames, "shape", None)
    return shape is not None and all(length == 1 for length in tuple(shape)[:-2])


def _check_timeout(timeout: float) -> None:
    if timeout != timeout:
        raise ValueError("timeout is NaN: expected seconds, or less than 0 for no limit")


class Stream:
    """Mel frames going in, samples coming out. One thread may push and finish while another pulls."""

    def __init__(self, vocoder: Vocoder, seed: Optional[int] = None, layout: Optional[str] = None, use: str = "live",
                 pitched: bool = False):
        self._vocoder, self._layout, self._handle = vocoder, check_layout(layout) or vocoder._layout, c_void_p()
        self._seen: Optional[str] = None  # how the pieces so far were read
        self._pulling, self._pushing, self._finished, error = threading.Lock(), threading.Lock(), False, Error()
        options = vocoder._options(use, seed)
        if pitched:
            options.source = SOURCES["pitch"]
        check(lull.lull_vocoder_new(vocoder._handle, byref(options), byref(self._handle), byref(error)), error)
        _free_with(self, lull.lull_vocoder_free, self._handle, (vocoder._model, vocoder._pitch))

    def __reduce__(self) -> Any:
        raise TypeError("a Stream is an utterance that goes on: it can be neither copied nor pickled")

    def _frames(self, mel: Any) -> numpy.ndarray:
        frames, self._seen = as_frames(mel, self._vocoder.bands, self._layout, self._seen)
        return frames

    @property
    def latency(self) -> float:
        """Seconds by which the samples are behind the frames."""
        return float(lull.lull_vocoder_latency(self._handle) / self._vocoder.rate)

    @property
    def ended(self) -> bool:
        """finish() was called and every sample has been pulled."""
        return bool(lull.lull_vocoder_ended(self._handle))

    def _push(self, frames: numpy.ndarray, f0: Optional[numpy.ndarray]) -> int:
        error, accepted = Error(), c_size_t()
        if f0 is None:
            check(lull.lull_vocoder_push(self._handle, floats(frames), len(frames), byref(accepted), byref(error)), error)
        else:
            check(lull.lull_vocoder_push_pitch(self._handle, floats(frames), floats(f0), len(frames), byref(accepted),
                                               byref(error)), error)
        return accepted.value

    def push(self, mel: Any, f0: Any = None, timeout: float = 10) -> None:
        """Offers mel frames: [bands, n], [n, bands], or one frame [bands]; f0: [n], as calling the vocoder takes it.
        The queue holds 1024 frames, which only pulling takes out: while it is full this waits for another thread to
        pull. timeout: seconds without room for a single frame after which TimeoutError is raised (0: at once; < 0:
        never). Raises as calling the vocoder does, too; then nothing of `mel` was taken but what had been accepted before."""
        frames = self._frames(mel)
        pitches = as_pitches(f0, len(frames))
        _check_timeout(timeout)
        if self._finished:
            raise InvalidError("frames were pushed after finish(): another utterance is another stream()")
        if f0 is not None:
            self._vocoder._takes_f0()
        with self._pushing:
            count, since = len(frames), time.monotonic()
            while len(frames):
                taken = self._push(frames, pitches)
                frames, pitches = frames[taken:], None if pitches is None else pitches[taken:]
                if taken:
                    since = time.monotonic()
                elif 0 <= timeout <= time.monotonic() - since:
                    raise TimeoutError(f"the queue is full and nothing was pulled for {timeout:g} s: {count - len(frames)} of "
                                       f"{count} frames were taken; pull between pushes or in another thread, or wait longer "
                                       "(timeout=)")
                else:
                    lull.lull_vocoder_wait(self._handle, _ROOM, _NAP if timeout < 0 else min(_NAP, timeout))

    def finish(self) -> None:
        """Says that no frame follows; what is still inside comes out of pull."""
        self._finished = True
        lull.lull_vocoder_finish(self._handle)

    def pull(self, n: Optional[int] = None, timeout: float = 0) -> numpy.ndarray:
        """Takes up to n samples (None: all that can be made now), float32. timeout: seconds to wait for the first of
        them (< 0: until there is one or the end); an empty array when there is none."""
        _check_timeout(timeout)
        end = time.monotonic() + timeout if timeout >= 0 else float("inf")
        pieces: List[numpy.ndarray] = []
        left = sys.maxsize if n is None else n
        with self._pulling:
            while left > 0:
                piece = self._pull(min(left, _PIECE))
                if len(piece):
                    pieces.append(piece)
                    left -= len(piece)
                    continue
                wait = min(end - time.monotonic(), _NAP)
                if pieces or wait <= 0 or self.ended:
                    break
                lull.lull_vocoder_wait(self._handle, _SAMPLES, wait)
        return numpy.concatenate(pieces) if pieces else numpy.zeros(0, numpy.float32)

    def _pull(self, n: int) -> numpy.ndarray:
        samples, error, produced = numpy.empty(n, numpy.float32), Error(), c_size_t()
        check(lull.lull_vocoder_pull(self._handle, floats(samples), n, byref(produced), byref(error)), error)
        return samples[:produced.value]

    def __iter__(self) -> Iterator[numpy.ndarray]:
        """Pieces of samples, each as soon as it is made, until the end; waits for frames that another thread pushes."""
        while not self.ended:
            piece = self.pull(_SHORT, timeout=-1)
            if len(piece):
                yield piece

    def _run(self, mels: Iterable[Any], f0s: Iterable[Any] = itertools.repeat(None)) -> Iterator[numpy.ndarray]:
        beside = iter(f0s)
        for mel in mels:
            f0 = next(beside, _END)
            if f0 is _END:
                raise ValueError("f0 ended before the frames: expected the pitches of every one of their pieces")
            frames = self._frames(mel)
            pitches = as_pitches(f0, len(frames))
            while len(frames):
                taken = self._push(frames, pitches)
                frames, pitches = frames[taken:], None if pitches is None else pitches[taken:]
                piece = self.pull(_SHORT)
                while len(piece):
                    yield piece
                    piece = self.pull(_SHORT)
        self.finish()
        yield from self


def mel(samples: Any, rate: int, convention: Optional[Convention] = None) -> numpy.ndarray:
    """The mel spectrogram of a recording: samples [n], floats in [-1, 1] or int16, one channel, `rate` Hz, in a
    convention (default: the default model's: $LULL_MODEL's, else the package's). Returns float32 [bands, T]. The rate has to be the convention's:
    resample first (soxr, librosa.resample, torchaudio). Raises MismatchError for another rate, NotFiniteError."""
    array, error, handle, produced = as_samples(samples), Error(), c_void_p(), c_size_t()
    text = convention_text(convention)
    pieces: List[numpy.ndarray] = []
    if text is None:
        model = _Model(_default_model())
        mels = model.mels
        check(lull.lull_mel_new(model.handle, byref(handle), byref(error)), error)
    else:
        mels = mels_of(text)
        check(lull.lull_mel_new_of(text, byref(handle), byref(error)), error)
    try:
        if not isinstance(rate, numbers.Real):
            raise TypeError(f"rate {rate!r}: expected a number of Hz")
        if rate != mels.rate:
            raise MismatchError(f"samples of {rate} Hz: the mel convention is of {mels.rate} Hz; resample them first")
        check(lull.lull_mel_push(handle, floats(array), len(array), byref(error)), error)
        check(lull.lull_mel_finish(handle, byref(error)), error)
        while True:
            piece = numpy.empty((256, mels.bands), numpy.float32)
            check(lull.lull_mel_pull(handle, floats(piece), len(piece), byref(produced), byref(error)), error)
            if not produced.value:
                break
            pieces.append(piece[:produced.value])
    finally:
        lull.lull_mel_free(handle)
    frames = numpy.concatenate(pieces) if pieces else numpy.zeros((0, mels.bands), numpy.float32)
    return numpy.ascontiguousarray(frames.T)
