"""What mels are, as callers say it: a convention, statistics and another scale, as the text that the library reads."""
import json
import os
import re
import zipfile
from ctypes import byref
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy

from ._library import ConventionInfo, Error, InvalidError, LullError, MismatchError, ModelInfo, check, lull

_Said = Union[str, Dict[str, Any], None]  # a name or a path, members, the model's own
Convention = Union[str, "os.PathLike[str]", Dict[str, Any]]

# The names that program and library know for scales: the logarithm, its factor, the power of the magnitudes.
_SCALES = {"ln": ("ln", 1, 1), "log10": ("log10", 1, 1), "db": ("log10", 20, 1), "linear": ("linear", 1, 1),
           "ln-power": ("ln", 1, 2), "log10-power": ("log10", 1, 2), "power-db": ("log10", 10, 2), "power": ("linear", 1, 2)}
_POWER_FLOOR = 1e-10  # amplitudes' 1e-5 would be 50 dB too high
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"
_RANGE = re.compile(rf"range:{_NUMBER},{_NUMBER}:{_NUMBER},{_NUMBER}(?::([\w-]+))?", re.IGNORECASE)
_MEANS, _DEVIATIONS = ("mean", "mel_mean"), ("deviation", "std", "scale", "mel_std")


class Mels(NamedTuple):
    """What a convention's mels are."""
    name: str
    rate: int
    bands: int
    hop: int


def mels_of(text: bytes) -> Mels:
    info, error = ConventionInfo(), Error()
    check(lull.lull_convention_find(text, byref(info), byref(error)), error)
    return Mels(info.name.decode(), info.sample_rate, info.bands, info.hop)


def convention_text(convention: Optional[Convention], own: Optional[ModelInfo] = None, statistics: Any = None,
                    from_: Optional[str] = None) -> Optional[bytes]:
    """The text that the library reads; None: the model's own convention, with nothing changed. own: the model's, for a
    convention of None. statistics and from_: as Vocoder has them."""
    plain = statistics is None and from_ is None
    said: _Said = os.fspath(convention) if isinstance(convention, os.PathLike) else convention
    if said is None and plain:
        return None
    if said is not None and not isinstance(said, (str, dict)):
        raise TypeError(f"convention: expected a name, the path of a JSON file or a dict, found {type(said).__name__}")
    if isinstance(said, str) and plain:
        return _read(said).encode() if said.endswith(".json") else said.encode()
    members = _members(said, own)
    if from_ is not None:
        members = _of_scale(members, from_)
    pair = members.pop("mean", None), members.pop("deviation", None)
    if statistics is not None:
        pair = _statistics(statistics)
    if pair[0] is not None or pair[1] is not None:
        bands = mels_of(json.dumps(members).encode()).bands
        members["mean"], members["deviation"] = _spread("mean", pair[0], bands), _spread("deviation", pair[1], bands)
        if min(members["deviation"]) <= 0:
            raise InvalidError("statistics: expected deviations above 0")
    return json.dumps(members).encode()


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _read_json(path: str) -> Dict[str, Any]:
    try:
        tree = json.loads(_read(path))
    except ValueError as error:
        raise LullError(f"{path}: not JSON ({error})") from None
    if not isinstance(tree, dict):
        raise LullError(f"{path}: expected a JSON object")
    return tree


def _members(convention: _Said, own: Optional[ModelInfo]) -> Dict[str, Any]:
    """A convention's members (docs/formats.md), in a new dict."""
    if convention is None:
        return _members_of_model(own) if own else {"convention": "hifigan-22k", "gain": 1, "offset": 0}
    if isinstance(convention, str) and not convention.endswith(".json"):
        name, *changes = convention.split(",")
        return {"convention": name, **dict(_change(change) for change in changes)}
    tree = _read_json(convention) if isinstance(convention, str) else convention
    tree = tree.get("config", tree)  # as `lull info --json` prints it
    return dict(tree.get("mel", tree))


def _change(text: str) -> Tuple[str, Any]:
    """"fmax=8000", as the library reads it: numbers and truths stand for themselves, the rest are words."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidError(f"convention: {text!r} is no change: expected member=value, as fmax=8000")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _members_of_model(info: ModelInfo) -> Dict[str, Any]:
    members = {name: getattr(info, name) for name in (
        "convention", "sample_rate", "n_fft", "window", "hop", "bands", "fmin", "fmax", "scale", "norm", "filter_rate",
        "centred", "padding", "magnitude_epsilon", "normalized_window", "power", "floor", "floor_added", "compression",
        "gain", "offset", "clip_low", "clip_high")}
    members = {name: value.decode() if isinstance(value, bytes) else value for name, value in members.items()}
    if info.mean:
        members.update(mean=info.mean[:info.bands], deviation=info.deviation[:info.bands])
    return members


def _of_scale(members: Dict[str, Any], from_: str) -> Dict[str, Any]:
    """The members of a convention whose values are of another scale or mapped to a range."""
    mapped = _RANGE.fullmatch(str(from_))
    scale = mapped.group(5) if mapped else from_
    if scale is not None:
        if scale not in _SCALES:
            raise InvalidError(f"from_ {from_!r}: expected {', '.join(map(repr, _SCALES))} or "
                               "'range:LOW,HIGH:MIN,MAX[:SCALE]'")
        compression, gain, power = _SCALES[scale]
        members = {**members, "compression": compression, "gain": gain, "power": power, "offset": 0, "clip_low": 0,
                   "clip_high": 0, "floor_added": False, "mean": None, "deviation": None}
        if power == 2:
            members["floor"] = _POWER_FLOOR
    if mapped:
        if not {"gain", "offset"} <= members.keys():  # a name's are the library's to know
            raise InvalidError(f"from_ {from_!r}: say the scale of MIN and MAX behind another colon, as ':ln'")
        low, high, least, most = (float(number) for number in mapped.groups()[:4])
        if low == high or least == most:
            raise InvalidError(f"from_ {from_!r}: expected two different ends")
        factor = (high - low) / (most - least)
        members = {**members, "gain": members["gain"] * factor, "offset": low + (members["offset"] - least) * factor,
                   "clip_low": 0, "clip_high": 0}
    return members


def _statistics(statistics: Any) -> Tuple[Any, Any]:
    """Mean and deviation, of a file or of what a caller gave."""
    if isinstance(statistics, (str, os.PathLike)):
        path = os.fspath(statistics)
        if path.lower().endswith(".json"):
            return _named(_read_json(path), path, _MEANS[:1], _DEVIATIONS[:1])
        try:
            statistics = numpy.load(path, allow_pickle=False)
            if hasattr(statistics, "files"):
                with statistics as archive:
                    return _named(dict(archive), path, _MEANS, _DEVIATIONS)
        except LullError:
            raise
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise LullError(f"{path}: not an array of NumPy ({error})") from None
    if isinstance(statistics, dict):
        return _named(statistics, "statistics", _MEANS, _DEVIATIONS)
    if not hasattr(statistics, "__len__") or len(statistics) != 2:
        raise MismatchError("statistics: expected two, the mean and the deviation: numbers, or arrays of one for each band")
    return statistics[0], statistics[1]


def _named(tree: Any, what: str, means: Tuple[str, ...], deviations: Tuple[str, ...]) -> Tuple[Any, Any]:
    pair = [next((tree[name] for name in names if name in tree), None) for names in (means, deviations)]
    if pair[0] is None or pair[1] is None:
        raise MismatchError(f"{what}: expected the members 'mean' and 'deviation'")
    return pair[0], pair[1]


def _spread(name: str, values: Any, bands: int) -> List[float]:
    """One number for every band, of one for all or of one for each."""
    try:
        array = numpy.asarray(values, dtype=numpy.float64).reshape(-1)
    except (TypeError, ValueError):
        array = numpy.zeros(0)
    if array.size not in (1, bands) or not numpy.isfinite(array).all():
        found = f"{array.size} numbers" if array.size > 1 else repr(values)
        raise MismatchError(f"statistics: {name}: expected a finite number or {bands} of them, found {found}")
    return (array if array.size == bands else array.repeat(bands)).tolist()
