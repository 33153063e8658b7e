"""Mel spectrograms to speech on the CPU: lull, a diffusion vocoder.

    import lull_vocoder
    vocoder = lull_vocoder.Vocoder()
    samples = vocoder(mel)                    # [80, T] of your acoustic model → float32, vocoder.rate Hz

Live, frame by frame as they come, a tenth of a second behind (vocoder.latency):

    for piece in vocoder.stream(frames): ...  # frames: any iterable of mels [bands, n] or [n, bands]

Mels of another kind than the model's: Vocoder(convention="vocos-24k"); standardised ones: Vocoder(statistics=(mean,
deviation)); of another scale: Vocoder(from_="log10"). docs/python.md in the repository is the guide.
"""
from ._library import InvalidError, LullError, MismatchError, NotFiniteError, UnsupportedError
from ._library import lull as _lull
from .vocoder import Stream, Vocoder, mel

__version__: str = _lull.lull_version().decode()
__all__ = ["InvalidError", "LullError", "MismatchError", "NotFiniteError", "Stream", "UnsupportedError", "Vocoder", "mel", "__version__"]
