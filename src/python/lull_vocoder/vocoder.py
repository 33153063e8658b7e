"""Vocoder: mels to samples, whole or as a stream; mel: samples to mels."""
import ctypes
import itertools
import json
import os
import threading
from ctypes import byref, c_size_t, c_void_p
from typing import Any, Dict, Iterable, Iterator, Optional, Union

import numpy

from ._arrays import as_frames, as_pitches, as_samples
from ._library import HERE, ConventionInfo, Error, InvalidError, Options, check, floats, lull

USES = {"live": 0, "low-latency": 1, "offline": 2}
SOURCES = {None: 0, "noise": 1, "pitch": 2}
PRECISIONS = {"auto": 0, "float32": 1, "bfloat16": 2}
_ROOM, _SAMPLES = 1, 2  # lull_ready
_PIECE = 4096

Convention = Union[str, Dict[str, Any]]


def _convention_text(convention: Optional[Convention]) -> Optional[bytes]:
    if convention is None:
        return None
    if isinstance(convention, dict):
        return json.dumps({"mel": convention.get("mel", convention)}).encode()
    if isinstance(convention, str) and convention.endswith(".json"):
        with open(convention, encoding="utf-8") as file:
            return file.read().encode()
    return str(convention).encode()


def _convention_info(text: bytes) -> ConventionInfo:
    info, error = ConventionInfo(), Error()
    check(lull.lull_convention_find(text, byref(info), byref(error)), error)
    return info


class _Model:
    """A model file, open until nothing uses it any more: itself and every stream of it count, because Python finalizes
    what goes in a circle, as everything does when it ends, in any order."""

    _lock = threading.Lock()

    def __init__(self, path: str):
        self._users = 1
        self.handle, error = c_void_p(), Error()
        check(lull.lull_model_open(os.fsencode(path), byref(self.handle), byref(error)), error)
        self.info = lull.lull_model_get_info(self.handle).contents

    def take(self) -> None:
        with self._lock:
            self._users += 1

    def give_back(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last and self.handle:
            lull.lull_model_close(self.handle)

    def __del__(self):
        if hasattr(self, "handle"):
            self.give_back()


def _default_model() -> str:
    named = os.environ.get("LULL_MODEL")
    return named or os.path.join(HERE, "models", "lull-speech-22k.safetensors")


class Vocoder:
    """Mel spectrograms to speech.

    model: path of a model file; None: $LULL_MODEL, else the one inside the package; "none": no network, shaped noise
        and mel consistency alone (the classical baseline).
    convention: of the mels that will come: a name ("vocos-24k"; `lull info --conventions` lists them), the path of a
        JSON file, or a dict of its members; None: the model's own. The output has its sample rate.
    use: "offline" (the best quality; what calling the vocoder does by default), "live" or "low-latency" (what
        stream() does by default is "live"): which of the model's settings apply where the ones below are None.
    steps: of the reverse process, 1…1000. refine, refine_window, refine_momentum: mel consistency iterations a frame,
        the frames kept open, their momentum (0 to below 1). postnet: whether mels are mended first (True for what
        acoustic models predict). seed: of the noise; the same seed gives the same samples, whole or as a stream.
        threads: 1…64; the samples do not depend on it. precision: "auto", "float32" or "bfloat16".
    source: "pitch" (the voice's own harmonics and noise, as a pitch network hears them in the mel, above `crossover` Hz;
        without a network everywhere), "noise", None: as the model says. pitch: path of the model whose pitch network is
        asked; None: the model's own. transpose: semitones by which that pitch is moved, -24…24.
    checks: False takes finite frames of any scale; True refuses those that cannot be of the convention.

    Raises OSError (no such file), LullError (not a model), InvalidError, MismatchError.

    A vocoder may be used by any number of threads at a time, and so may its streams beside one another.
    """

    def __init__(self, model: Optional[str] = None, *, convention: Optional[Convention] = None,
                 use: Optional[str] = None, steps: Optional[int] = None, refine: Optional[int] = None,
                 refine_window: Optional[int] = None, refine_momentum: Optional[float] = None,
                 postnet: Optional[bool] = None, seed: int = 0, threads: int = 1, precision: str = "auto",
                 source: Optional[str] = None, crossover: Optional[float] = None, transpose: float = 0,
                 pitch: Optional[str] = None, checks: bool = True):
        self._settings: Dict[str, Any] = dict(use=use, steps=steps, refine=refine, refine_window=refine_window,
                                              refine_momentum=refine_momentum, postnet=postnet, seed=seed,
                                              threads=threads, precision=precision, checks=checks, source=source,
                                              crossover=crossover, transpose=transpose)
        self._convention = _convention_text(convention)
        self._model = None if model == "none" else _Model(os.fspath(model) if model else _default_model())
        if self._model is None and self._convention is None:
            self._convention = b"hifigan-22k"
        if pitch is None and self._model is None and source == "pitch":
            pitch = _default_model()
        self._pitch = _Model(os.fspath(pitch)) if pitch else None
        info = _convention_info(self._convention) if self._convention else self._model.info  # type: ignore
        self._rate, self._bands, self._hop = info.sample_rate, info.bands, info.hop
        self._name = (info.name if self._convention else info.convention).decode()
        self._options("offline")  # says what is wrong with them now

    @property
    def rate(self) -> int:
        """Samples a second of the output."""
        return self._rate

    @property
    def bands(self) -> int:
        """Numbers in a mel frame."""
        return self._bands

    @property
    def hop(self) -> int:
        """Samples that a mel frame becomes."""
        return self._hop

    @property
    def convention(self) -> str:
        """Name of the mel convention that is read."""
        return self._name

    @property
    def latency(self) -> float:
        """Seconds by which a stream is behind its frames (of "live", unless `use` says otherwise)."""
        error, samples, options = Error(), c_size_t(), self._options("live")
        check(lull.lull_latency(self._handle, byref(options), byref(samples), byref(error)), error)
        return samples.value / self._rate

    @property
    def _handle(self):
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
        seed = s["seed"] if seed is None else seed
        if not 0 <= seed < 1 << 64:
            raise InvalidError(f"seed {seed}: expected 0 to 18446744073709551615")
        options.use, options.precision, options.seed = USES[use], PRECISIONS[s["precision"]], seed
        options.threads, options.unchecked = s["threads"], 0 if s["checks"] else 1
        for name in ("steps", "refine", "refine_window", "refine_momentum", "postnet", "crossover", "transpose"):
            if s[name] is not None:
                setattr(options, name, s[name])
        options.convention, options.source = self._convention, SOURCES[s["source"]]
        options.pitch_model = self._pitch.handle if self._pitch else None
        return options

    def __call__(self, mel, *, f0=None, seed: Optional[int] = None, layout: Optional[str] = None) -> numpy.ndarray:
        """A whole utterance. mel: [bands, T], [T, bands] or [1, bands, T], any float type and strides; NumPy arrays and
        whatever has __array__ or DLPack (PyTorch). f0: [T], the pitch at the middle of every frame in Hz, 0 where there
        is no voice, NaN where it is not known; None: the pitch network hears it in the mel. layout: "bands-first" or "frames-first", for T = bands. Returns
        float32 [T · hop] in [-1, 1]. Raises MismatchError for mels that cannot be of the convention, NotFiniteError
        for NaN and infinities, ValueError for another shape."""
        frames = as_frames(mel, self._bands, layout)
        if f0 is not None:
            stream = Stream(self, seed, "frames-first", "offline")
            return numpy.concatenate([*stream._run([frames], [f0]), numpy.zeros(0, numpy.float32)])
        samples, error, options = numpy.zeros(len(frames) * self._hop, numpy.float32), Error(), self._options("offline", seed)
        check(lull.lull_synthesize(self._handle, byref(options), floats(frames), len(frames), floats(samples),
                                   byref(error)), error)
        return samples

    def stream(self, frames: Optional[Iterable] = None, *, seed: Optional[int] = None,
               layout: Optional[str] = None) -> Any:
        """Without `frames`: a Stream to push into and pull from. With an iterable of mels (one frame or several each):
        a generator of the samples, each as soon as it can be, float32 pieces of any length."""
        made = Stream(self, seed, layout)
        return made if frames is None else made._run(frames)


class Stream:
    """Mel frames going in, samples coming out. One thread may push and finish while another pulls."""

    def __init__(self, vocoder: Vocoder, seed: Optional[int] = None, layout: Optional[str] = None, use: str = "live"):
        self._vocoder, self._layout, self._handle = vocoder, layout, c_void_p()
        self._pulling, self._pushing, error = threading.Lock(), threading.Lock(), Error()
        options = vocoder._options(use, seed)
        check(lull.lull_vocoder_new(vocoder._handle, byref(options), byref(self._handle), byref(error)), error)
        self._models = [model for model in (vocoder._model, vocoder._pitch) if model]
        for model in self._models:
            model.take()

    def __del__(self):
        if getattr(self, "_handle", None):
            lull.lull_vocoder_free(self._handle)
            for model in getattr(self, "_models", []):
                model.give_back()

    @property
    def latency(self) -> float:
        """Seconds by which the samples are behind the frames."""
        return lull.lull_vocoder_latency(self._handle) / self._vocoder.rate

    @property
    def ended(self) -> bool:
        """finish() was called and every sample has been pulled."""
        return bool(lull.lull_vocoder_ended(self._handle))

    def _push(self, frames: numpy.ndarray, f0: Optional[numpy.ndarray] = None) -> int:
        error, accepted = Error(), c_size_t()
        if f0 is None:
            check(lull.lull_vocoder_push(self._handle, floats(frames), len(frames), byref(accepted), byref(error)), error)
        else:
            check(lull.lull_vocoder_push_pitch(self._handle, floats(frames), floats(f0), len(frames), byref(accepted),
                                               byref(error)), error)
        return accepted.value

    def push(self, mel, f0=None) -> None:
        """Offers mel frames: [bands, n], [n, bands], or one frame [bands]; f0: [n], as calling the vocoder takes it. Waits while the queue (1024 frames) is full,
        which only a thread that pulls empties. Raises as calling the vocoder does; then nothing of `mel` was taken
        but what had been accepted before."""
        frames = as_frames(mel, self._vocoder.bands, self._layout)
        pitches = as_pitches(f0, len(frames))
        with self._pushing:
            while len(frames):
                taken = self._push(frames, pitches)
                frames, pitches = frames[taken:], None if pitches is None else pitches[taken:]
                if len(frames) and not taken:
                    lull.lull_vocoder_wait(self._handle, _ROOM, 1.0)

    def finish(self) -> None:
        """Says that no frame follows; what is still inside comes out of pull."""
        lull.lull_vocoder_finish(self._handle)

    def pull(self, n: Optional[int] = None, timeout: float = 0) -> numpy.ndarray:
        """Takes up to n samples (None: all that can be made now), float32. timeout: seconds to wait for the first of
        them (< 0: until there is one or the end); an empty array when there is none."""
        with self._pulling:
            pieces, left = [], n
            while left is None or left > 0:
                piece = self._pull(_PIECE if left is None else min(left, _PIECE))
                if not len(piece):
                    if pieces or not timeout or self.ended:
                        break
                    ready = lull.lull_vocoder_wait(self._handle, _SAMPLES, timeout)
                    if not ready:
                        break
                    continue
                pieces.append(piece)
                left = None if left is None else left - len(piece)
            return numpy.concatenate(pieces) if pieces else numpy.zeros(0, numpy.float32)

    def _pull(self, n: int) -> numpy.ndarray:
        samples, error, produced = numpy.empty(n, numpy.float32), Error(), c_size_t()
        check(lull.lull_vocoder_pull(self._handle, floats(samples), n, byref(produced), byref(error)), error)
        return samples[:produced.value]

    def __iter__(self) -> Iterator[numpy.ndarray]:
        """Pieces of samples until the end, waiting for frames that another thread pushes."""
        while not self.ended:
            piece = self.pull(timeout=-1)
            if len(piece):
                yield piece

    def _run(self, mels: Iterable, f0s: Iterable = itertools.repeat(None)) -> Iterator[numpy.ndarray]:
        for mel, f0 in zip(mels, f0s):
            frames = as_frames(mel, self._vocoder.bands, self._layout)
            pitches = as_pitches(f0, len(frames))
            while len(frames):
                taken = self._push(frames, pitches)
                frames, pitches = frames[taken:], None if pitches is None else pitches[taken:]
                piece = self.pull()
                if len(piece):
                    yield piece
        self.finish()
        yield from self


def mel(samples, rate: int, convention: Optional[Convention] = None) -> numpy.ndarray:
    """The mel spectrogram of a recording: samples [n], floats in [-1, 1] or int16, one channel, `rate` Hz, in a
    convention (default: of the package's model). Returns float32 [bands, T]. The rate has to be the convention's:
    resample first (soxr, librosa.resample, torchaudio). Raises MismatchError for another rate, NotFiniteError."""
    array, error, handle, produced = as_samples(samples), Error(), c_void_p(), c_size_t()
    text = _convention_text(convention)
    if text is None:
        model = _Model(_default_model())
        bands, wanted = model.info.bands, model.info.sample_rate
        check(lull.lull_mel_new(model.handle, byref(handle), byref(error)), error)
    else:
        info = _convention_info(text)
        bands, wanted = info.bands, info.sample_rate
        check(lull.lull_mel_new_of(text, byref(handle), byref(error)), error)
    try:
        if rate != wanted:
            from ._library import MismatchError
            raise MismatchError(f"samples of {rate} Hz: the mel convention is of {wanted} Hz; resample them first")
        check(lull.lull_mel_push(handle, floats(array), len(array), byref(error)), error)
        check(lull.lull_mel_finish(handle, byref(error)), error)
        pieces = []
        while True:
            piece = numpy.empty((256, bands), numpy.float32)
            check(lull.lull_mel_pull(handle, floats(piece), len(piece), byref(produced), byref(error)), error)
            if not produced.value:
                break
            pieces.append(piece[:produced.value])
    finally:
        lull.lull_mel_free(handle)
    frames = numpy.concatenate(pieces) if pieces else numpy.zeros((0, bands), numpy.float32)
    return numpy.ascontiguousarray(frames.T)
