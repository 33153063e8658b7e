"""Every score of `lull eval` against a second implementation in NumPy and SciPy, written from the papers.

    independent_scores.py             compares `lull eval --json` with it on the goldens (exit 77: no NumPy here)
    independent_scores.py --worst     the same, and prints the largest difference of each score
    independent_scores.py --constants prints the numbers that scores.c has

ESTOI is compared with pystoi (https://github.com/mpariente/pystoi) where that is installed, too.
"""

import json
import math
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import scipy.io.wavfile
    import scipy.signal
except ImportError:
    system = "/usr/bin/python3"  # Debian's packages belong to Debian's Python
    if os.path.exists(system) and os.path.realpath(sys.executable) != os.path.realpath(system):
        os.execv(system, [system, "-B"] + sys.argv)
    print("skipped: no NumPy and SciPy here")
    sys.exit(77)

GOLDENS = os.environ.get("LULL_GOLDENS", "tests/goldens")


def recording(rate):
    found, samples = scipy.io.wavfile.read(os.path.join(GOLDENS, "mel", "speech_%d.wav" % rate))
    assert found == rate and samples.dtype == np.int16
    return samples.astype(np.float64) / 32768


# ---- degraded copies, as scores.c makes them ---------------------------------------------------------------------


def noisy(x):
    """An echo after 7 samples, noise of a linear congruential generator, a constant."""
    y = 0.8 * x + 0.004
    y[7:] += 0.15 * x[:-7]
    state = 1
    for i in range(len(x)):
        state = (1664525 * state + 1013904223) % 2 ** 32
        y[i] += 0.02 * (state / 2 ** 31 - 1)
    return y.astype(np.float32).astype(np.float64)


def warped(x):
    """Played 1 % too fast, by linear interpolation."""
    at = np.arange(int(len(x) / 1.01) - 1) * 1.01
    first = at.astype(int)
    y = x[first] + (at - first) * (x[first + 1] - x[first])
    return y.astype(np.float32).astype(np.float64)


# ---- spectra -----------------------------------------------------------------------------------------------------


def hann(n):
    return scipy.signal.get_window("hann", n, fftbins=True)


def magnitudes(x, n_fft, hop, window):
    """[frames, bins]: complete frames only, the window in the middle of n_fft samples."""
    lead = (n_fft - window) // 2
    w = np.pad(hann(window), (lead, n_fft - window - lead))
    count = 1 + (len(x) - n_fft) // hop
    frames = np.stack([x[i * hop:i * hop + n_fft] for i in range(count)])
    return np.abs(np.fft.rfft(frames * w, axis=1))


def log_distance(a, b, n_fft):
    scale = 2 / hann(n_fft).sum()
    logs = [np.log(np.maximum(scale * magnitudes(x, n_fft, n_fft // 4, n_fft), 1e-5)) for x in (a, b)]
    return np.abs(logs[0] - logs[1]).mean()


def multi_resolution(a, b):
    total = 0
    for n_fft, hop, window in ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200)):
        x, y = (np.maximum(magnitudes(s, n_fft, hop, window), 1e-5) for s in (a, b))
        convergence = np.linalg.norm(x - y) / np.linalg.norm(x)
        total += convergence + np.abs(np.log(x) - np.log(y)).mean()
    return total / 3


def slaney_hz(mel):
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * math.log(6.4) / 27))


def slaney_mel(hz):
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def log_mel(x, rate):
    """HiFi-GAN's: 1024/256, 80 area-normalised bands to 8 kHz, ln."""
    n_fft, hop, bands = 1024, 256, 80
    padded = np.pad(x, (n_fft - hop) // 2, mode="reflect")
    count = 1 + (len(padded) - n_fft) // hop
    frames = np.stack([padded[i * hop:i * hop + n_fft] for i in range(count)])
    spectrum = np.sqrt(np.abs(np.fft.rfft(frames * hann(n_fft), axis=1)) ** 2 + 1e-9)
    edges = slaney_hz(np.linspace(0, slaney_mel(min(8000, rate / 2)), bands + 2))
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    filters = []
    for low, centre, high in zip(edges, edges[1:], edges[2:]):
        rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
        filters.append(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))
    return np.log(np.maximum(spectrum @ np.array(filters).T, 1e-5))


def cepstral_distortion(a, b, rate):
    cepstra = [scipy.fft.dct(log_mel(x, rate), type=2, axis=1)[:, 1:14] / 80 for x in (a, b)]
    return (10 / math.log(10) * np.sqrt(2 * ((cepstra[0] - cepstra[1]) ** 2).sum(axis=1))).mean()


# ---- pitch: YIN --------------------------------------------------------------------------------------------------


def yin(x, rate):
    """F0 (0: unvoiced) and periodicity of every frame."""
    window, shortest, longest, hop = int(0.025 * rate), rate // 500, rate // 60, rate // 200
    rows = []
    for begin in range(0, len(x) - window - longest, hop):
        at = x[begin:begin + window + longest + 1]
        # d(τ) by correlation, not by differences: |a|² + |b|² - 2ab
        power = np.concatenate([[0], np.cumsum(at ** 2)])
        lags = np.arange(longest + 2)
        cross = np.correlate(at, at[:window], "valid")
        d = power[window] + power[lags + window] - power[lags] - 2 * cross
        mean = np.cumsum(d[1:]) / lags[1:]
        normalized = np.concatenate([[1], np.where(mean > 0, d[1:] / np.maximum(mean, 1e-300), 1)])
        candidates = np.flatnonzero(normalized[shortest:longest + 1] < 0.15)
        if len(candidates):
            lag = shortest + candidates[0]
            while lag < longest and normalized[lag + 1] < normalized[lag]:
                lag += 1
        else:
            lag = shortest + int(np.argmin(normalized[shortest:longest + 1]))
        before, dip, after = normalized[lag - 1:lag + 2]
        place = lag
        if before >= dip <= after and before + after > 2 * dip:
            place += 0.5 * (before - after) / (before - 2 * dip + after)
        rows.append((rate / place if dip < 0.15 else 0, max(0, 1 - dip), power[window] / window))
    f0, periodicity, level = np.array(rows).T
    return np.where(level < 1e-4 * level.max(), 0, f0), periodicity


def pitch_errors(a, b, rate):
    (f_a, p_a), (f_b, p_b) = yin(a, rate), yin(b, rate)
    both = (f_a > 0) & (f_b > 0)
    ratio = f_b[both] / f_a[both]
    close = np.abs(ratio - 1) <= 0.2
    cents = 1200 * np.log2(ratio[close])
    return {"f0_cents": np.sqrt((cents ** 2).mean()), "f0_gross": 100 * (1 - close.mean()),
            "voicing": 100 * ((f_a > 0) != (f_b > 0)).mean(),
            "periodicity": np.sqrt(((p_a - p_b)[f_a > 0] ** 2).mean())}


# ---- intelligibility: ESTOI --------------------------------------------------------------------------------------


def estoi(x, y):
    """At 10 kHz."""
    window = np.hanning(258)[1:-1]

    def frames_of(s):  # the authors' program leaves out a frame that ends with the signal
        return np.stack([s[i:i + 256] * window for i in range(0, len(s) - 256, 128)])

    a, b = frames_of(x), frames_of(y)
    levels = 20 * np.log10(np.linalg.norm(a, axis=1) + 2.2e-16)
    loud = levels > levels.max() - 40

    def joined(frames):
        out = np.zeros((len(frames) + 1) * 128)
        for i, frame in enumerate(frames):
            out[i * 128:i * 128 + 256] += frame
        return out

    def bands_of(s):
        power = np.abs(np.fft.rfft(frames_of(s), 512, axis=1)) ** 2
        rows = []
        for k in range(15):
            low, high = (150 * 2 ** ((2 * k + side) / 6) for side in (-1, 1))
            grid = np.arange(257) * 10000 / 512
            rows.append(np.sqrt(power[:, np.argmin((grid - low) ** 2):np.argmin((grid - high) ** 2)].sum(axis=1)))
        return np.array(rows)

    def normal(m, axis):
        m = m - m.mean(axis=axis, keepdims=True)
        return m / (np.linalg.norm(m, axis=axis, keepdims=True) + 2.2e-16)

    u, v = bands_of(joined(a[loud])), bands_of(joined(b[loud]))
    scores = []
    for end in range(30, u.shape[1] + 1):
        p, q = (normal(normal(m[:, end - 30:end], 1), 0) for m in (u, v))
        scores.append((p * q).sum() / 30)
    return np.mean(scores)


def at_10_khz(x, rate):
    """With a far longer filter than SciPy's own."""
    divisor = math.gcd(10000, rate)
    up, down = 10000 // divisor, rate // divisor
    taps = 2 * 400 * max(up, down) + 1
    return scipy.signal.resample_poly(x, up, down, window=scipy.signal.firwin(taps, 0.97 / max(up, down)))


# ---- HF modulation -----------------------------------------------------------------------------------------------


def at_16_khz(x, rate):
    divisor = math.gcd(16000, rate)
    up, down = 16000 // divisor, rate // divisor
    if up == down:
        return x
    taps = 2 * 400 * max(up, down) + 1
    return scipy.signal.resample_poly(x, up, down, window=scipy.signal.firwin(taps, 0.97 / max(up, down)))


def modulations(x, y):
    """Of reference and output, at 16 kHz, with SciPy's recursive filters forwards and backwards and its Hilbert
    transform of the whole signal."""
    count = min(len(x), len(y))
    low = scipy.signal.sosfiltfilt(scipy.signal.butter(4, 900, "low", fs=16000, output="sos"), x)
    voiced = []
    for begin in range(0, count - 1280, 160):
        s = low[begin:begin + 640] - low[begin:begin + 640].mean()
        lags = np.arange(40, 230)
        later = np.lib.stride_tricks.sliding_window_view(low[begin + 40:begin + 869], 640)
        energy = (s ** 2).sum()
        correlations = later @ s / np.sqrt(energy * (later ** 2).sum(axis=1) + 1e-12)
        voiced.append((begin, lags[correlations.argmax()], correlations.max(), energy))
    level = np.median([row[3] for row in voiced]) if voiced else 0
    voiced = [(begin, lag) for begin, lag, best, energy in voiced if best > 0.85 and energy > level]
    if len(voiced) < 20:
        return np.nan, np.nan
    high = scipy.signal.butter(6, (3000, 7500), "band", fs=16000, output="sos")
    means = []
    for signal in (x, y):
        envelope = np.abs(scipy.signal.hilbert(scipy.signal.sosfiltfilt(high, signal[:count])))
        means.append(np.mean([np.corrcoef(envelope[begin:begin + 640], envelope[begin + lag:begin + lag + 640])[0, 1]
                              for begin, lag in voiced]))
    return means


# ---- all of them -------------------------------------------------------------------------------------------------


def all_scores(a, b, rate):
    count = min(len(a), len(b))
    a, b = a[:count], b[:count]
    scores = {"mcd": cepstral_distortion(a, b, rate), "stft": multi_resolution(a, b),
              "lsd_512": log_distance(a, b, 512), "lsd_2048": log_distance(a, b, 2048),
              "mel": np.abs(log_mel(a, rate) - log_mel(b, rate)).mean()}
    scores.update(pitch_errors(a, b, rate))
    scores["estoi"] = estoi(at_10_khz(a, rate), at_10_khz(b, rate))
    scores["modulation_reference"], scores["modulation"] = modulations(at_16_khz(a, rate), at_16_khz(b, rate))
    scores["modulation_error"] = scores["modulation"] - scores["modulation_reference"]
    scores["level_db"] = 10 * np.log10((b ** 2).sum() / (a ** 2).sum())
    scores["dc"] = b.mean() - a.mean()
    scores["clipped"] = 100 * (np.abs(b) >= 32767 / 32768).mean()
    return {name: float(value) for name, value in scores.items()}


# Of ours from these: floats against doubles; ESTOI: two resamplers.
TOLERANCES = {"mcd": 2e-4, "stft": 2e-4, "lsd_512": 1e-4, "lsd_2048": 1e-4, "mel": 1e-4, "f0_cents": 1e-3,
              "f0_gross": 1e-6, "voicing": 1e-6, "periodicity": 1e-4, "estoi": 2e-3, "level_db": 1e-5, "dc": 1e-6,
              "clipped": 1e-6, "modulation": 1e-3, "modulation_error": 1e-3, "modulation_reference": 1e-3}


def cases():
    for rate in (16000, 22050, 24000):
        x = recording(rate)
        for name, change in (("noisy", noisy), ("warped", warped), ("loud", lambda s: np.clip(8 * s, -1, 1))):
            yield rate, name, x, change(x)


def constants():
    for rate, name, x, y in cases():
        scores = all_scores(x, y, rate)
        print("    {%d, %s, {%s}}," % (rate, name, ", ".join("%.6g" % scores[s] for s in TOLERANCES)))
    x = recording(16000)
    print("ESTOI at 10 kHz, here: %.7f" % estoi(x, noisy(x)))
    try:
        import pystoi
    except ImportError:
        return
    print("ESTOI at 10 kHz, pystoi: %.7f" % pystoi.stoi(x, noisy(x), 10000, extended=True))
    for rate, name, x, y in cases():
        count = min(len(x), len(y))
        print("ESTOI of %d %s, pystoi: %.5f" % (rate, name, pystoi.stoi(x[:count], y[:count], rate, extended=True)))


def means_of(rows):
    """Of a folder's files: every score, and the outputs' HF modulation over the references'."""
    means = {score: np.mean([row[score] for row in rows]) for score in TOLERANCES}
    return dict(means, modulation_ratio=means["modulation"] / means["modulation_reference"])


def differences(where, ours, theirs):
    """How many scores are further apart than they may be."""
    failures = 0
    for score, value in theirs.items():
        if not abs(ours[score] - value) <= TOLERANCES.get(score, 2e-3):
            print("%s %s: %r, and here %r" % (where, score, ours[score], value))
            failures += 1
    return failures


def compare():
    """A folder a rate, as if each were a voice."""
    theirs = {}
    with tempfile.TemporaryDirectory() as folder:
        for rate, name, x, y in cases():
            theirs.setdefault(str(rate), {})[name + ".wav"] = all_scores(x, y, rate)
            for side, samples in (("reference", x), ("output", y)):
                path = os.path.join(folder, side, str(rate), name + ".wav")
                os.makedirs(os.path.dirname(path), exist_ok=True)
                scipy.io.wavfile.write(path, rate, samples.astype(np.float32))
        done = subprocess.run([os.environ["LULL_PROGRAM"], "eval", "--json", "--quiet", "reference", "output"], cwd=folder,
                              stdout=subprocess.PIPE, check=True)
    ours = json.loads(done.stdout)["output"]
    failures = sum(differences(row["folder"] + " " + row["name"], row, theirs[row["folder"]][row["name"]])
                   for row in ours["files"])
    assert len(ours["files"]) == sum(map(len, theirs.values())) and sorted(ours["folders"]) == sorted(theirs)
    for name, means in ours["folders"].items():
        flat = {score: mean["mean"] if isinstance(mean, dict) else mean for score, mean in means.items()}
        failures += differences("mean of " + name, flat, means_of(list(theirs[name].values())))
    if "--worst" in sys.argv:
        for score in TOLERANCES:
            print(score, max(abs(row[score] - theirs[row["folder"]][row["name"]][score]) for row in ours["files"]))
    sys.exit(failures != 0)


if __name__ == "__main__":
    constants() if "--constants" in sys.argv else compare()
