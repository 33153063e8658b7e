"""The Python package as its users have it: a wheel built from a copy of the source, installed into an empty environment
outside the source tree, against the program bit for bit. $LULL_WHEEL names one that is there already (of
tools/wheel.sh; the program is then one with -Dfft=plain).
Skipped (77) where pip or meson-python is missing."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

SOURCE, PROGRAM = os.environ["LULL_SOURCE"], os.environ["LULL_PROGRAM"]
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
NEEDS = "import mesonpy, pip, venv, numpy, ensurepip"
KEPT = ("src", "include", "models", "third_party", "tools", "meson.build", "meson_options.txt", "pyproject.toml", "README.md", "LICENSE")


# In place of what the documents' blocks play and write with.
STUBS = {
    "sounddevice": """
        import numpy
        class OutputStream:
            def __init__(self, samplerate, channels): assert samplerate == 22050 and channels == 1
            def __enter__(self): return self
            def __exit__(self, *_): pass
            def write(self, piece): assert piece.dtype == numpy.float32 and piece.ndim == 1 and len(piece)
    """,
    "soundfile": """
        def write(path, samples, rate): assert path.endswith(".wav") and len(samples) > rate
    """,
}


def texts_of_the_library():
    """Every text between quotes in what builds into liblull, with something in place of what is formatted in."""
    for folder in ("base", "io", "mel", "pitch", "nn", "diffusion", "model", "vocoder"):
        for where, _, names in os.walk(os.path.join(SOURCE, "src", folder)):
            for name in names:
                if name.endswith((".c", ".h")):
                    with open(os.path.join(where, name)) as file:
                        code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
                    for text in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', code):
                        text = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', text))
                        yield re.sub(r"%[-+\d.*]*z?([a-z])", lambda found: "x" if found[1] == "s" else "1", text)


def run(*command, **more):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if result.returncode:
        raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}")
    return result.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.env = os.path.join(cls.folder, "env")
        cls.wheel = os.path.abspath(os.environ["LULL_WHEEL"]) if "LULL_WHEEL" in os.environ else cls.build()
        run(PYTHON, "-m", "venv", "--system-site-packages", cls.env)
        run(os.path.join(cls.env, "bin", "pip"), "install", "-q", "--no-deps", "--no-index", cls.wheel)

    @classmethod
    def build(cls):
        source = os.path.join(cls.folder, "source")
        os.mkdir(source)
        for name in KEPT:
            path = os.path.join(SOURCE, name)
            copy = shutil.copytree if os.path.isdir(path) else shutil.copy
            copy(path, os.path.join(source, name))
        wheels, fft = os.path.join(cls.folder, "wheels"), os.environ.get("LULL_FFT")
        settings = [f"--config-settings=setup-args=-Dfft={fft}"] if fft else []
        run(PYTHON, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", *settings, "-w", wheels, source)
        shutil.rmtree(source)
        (wheel,) = [os.path.join(wheels, name) for name in os.listdir(wheels)]
        return wheel

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def python(self, text):
        """Runs lines in the environment, from outside the source tree; what they print."""
        before = "import numpy as n, lull_vocoder as l\nm = n.load(%r)\n" % os.path.join(
            SOURCE, "audio_samples", "weasels-22k.npy")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LULL_", "PYTHON"))}
        return run(os.path.join(self.env, "bin", "python"), "-X", "faulthandler", "-c", before + textwrap.dedent(text), cwd=self.folder,
                   env=environment)

    def test_whole_and_streamed_are_the_programs_samples(self):
        raw = os.path.join(self.folder, "raw")
        mel = os.path.join(SOURCE, "audio_samples", "weasels-22k.npy")
        self.python("""
            m.T.astype("<f4").tofile("frames")
            v = l.Vocoder(use="live", seed=3)
            whole = v(m)
            pieces = list(v.stream(m.T[i:i + 5] for i in range(0, m.shape[1], 5)))
            assert len(pieces) > 3 and (n.concatenate(pieces) == whole).all()
            whole.tofile("whole")
        """)
        with open(os.path.join(self.folder, "frames"), "rb") as frames, open(raw, "wb") as out:
            subprocess.run([PROGRAM, "synth", "-", "-o", "-", "--seed", "3", "-m",
                            os.path.join(SOURCE, "models", "lull-speech-22k.safetensors")],
                           stdin=frames, stdout=out, stderr=subprocess.DEVNULL, check=True)
        with open(raw, "rb") as a, open(os.path.join(self.folder, "whole"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        self.assertTrue(mel)

    def test_one_array_is_one_mel(self):
        """An array given to stream() is what calling the vocoder takes, and not an iterable of its rows."""
        self.python("""
            v = l.Vocoder(use="live", refine=1)
            class Tensor:  # as PyTorch's
                def __init__(self, x): self.x, self.shape = x, x.shape
                def __array__(self, dtype=None, copy=None): return self.x
            for mel in (m, m.T, m[None], Tensor(m), m[:, 0]):
                assert (n.concatenate(list(v.stream(mel))) == v(mel)).all(), mel.shape
            several = n.stack([m[:, :20], m[:, 20:40]])
            assert (n.concatenate(list(v.stream(several))) == v(m[:, :40])).all()
            try: list(v.stream(m[:40]))
            except ValueError as error: assert "[40, " in str(error), error
            else: raise AssertionError
        """)

    def test_as_many_frames_as_bands(self):
        """Nothing in the shape says how such a mel is to be read: it is refused, unless it is said or a stream knows."""
        self.python("""
            square, v = m[:, 40:120], l.Vocoder(use="live", refine=1)
            for use in lambda: v(square), lambda: list(v.stream(square)), lambda: v.stream().push(square):
                try: use()
                except ValueError as error: assert "both ways" in str(error) and "layout=" in str(error), error
                else: raise AssertionError
            right = v(square, layout="bands-first")
            assert (v(square.T, layout="frames-first") == right).all()
            said = l.Vocoder(use="live", refine=1, layout="bands-first")
            assert (said(square) == right).all() and (n.concatenate(list(said.stream(square))) == right).all()
            assert (n.concatenate(list(said.stream(list(square.T)))) == right).all()  # single frames
            whole = v(m)
            assert (n.concatenate(list(v.stream([m[:, :40], square, m[:, 120:]]))) == whole).all()
            assert (n.concatenate(list(v.stream([m[:, :40].T, square.T, m[:, 120:].T]))) == whole).all()
            for wrong in lambda: l.Vocoder(layout="sideways"), lambda: v.stream(layout="sideways"):
                try: wrong()
                except ValueError as error: assert "sideways" in str(error), error
                else: raise AssertionError
        """)

    def test_what_is_neither_copied_nor_pickled(self):
        self.python("""
            import copy, pickle, pathlib
            v = l.Vocoder(pathlib.Path(l.__file__).parent / "models" / "lull-speech-22k.safetensors")
            for thing in v, v.stream():
                for way in copy.copy, copy.deepcopy, pickle.dumps:
                    try: way(thing)
                    except TypeError as error: assert "pickled" in str(error), error
                    else: raise AssertionError(way)
        """)

    def test_a_pitch_beside_a_stream(self):
        self.python("""
            f0 = n.full(m.shape[1], 150.0); f0[:40] = 0
            v = l.Vocoder(use="live", refine=1)
            whole, starts = v(m, f0=f0), range(0, m.shape[1], 7)
            assert not (whole == v(m)).all()
            pieces = v.stream((m[:, i:i + 7] for i in starts), f0=(f0[i:i + 7] for i in starts))
            assert (n.concatenate(list(pieces)) == whole).all()
            assert (n.concatenate(list(v.stream(m, f0=f0))) == whole).all()
            assert (n.concatenate(list(v.stream(m.T, f0=f0.tolist()))) == whole).all()
            assert (n.concatenate(list(v.stream(list(m.T), f0=f0))) == whole).all()  # frame by frame
            unknown = n.where(n.arange(m.shape[1]) < 7, n.nan, f0)
            pieces = v.stream((m[:, i:i + 7] for i in starts), f0=(f0[i:i + 7] if i else None for i in starts))
            assert (n.concatenate(list(pieces)) == v(m, f0=unknown)).all()
            def refused(word, call):
                try: call()
                except ValueError as error: assert word in str(error), error
                else: raise AssertionError(word)
            refused("ended before", lambda: list(v.stream([m, m], f0=[f0])))
            refused("one number for each", lambda: list(v.stream([m], f0=f0)))
            refused("'noise'", lambda: l.Vocoder(source="noise").stream(m, f0=f0))
            refused("push(mel, f0)", lambda: v.stream(f0=f0))
        """)

    def test_a_queue_that_nobody_empties(self):
        self.python("""
            import threading, time
            v = l.Vocoder(use="live", refine=1)
            long, s = n.tile(m, 8)[:, :1500], v.stream()
            def full(mel, timeout, word):
                began = time.monotonic()
                try: s.push(mel, timeout=timeout)
                except TimeoutError as error: assert word in str(error), error
                else: raise AssertionError
                assert timeout <= time.monotonic() - began < timeout + 5
            full(long, .3, "1024 of 1500 frames")
            full(long[:, :1], 0, "0 of 1 frames")
            s.pull()
            s.push(long[:, :1000], timeout=0)  # there is room
            s, whole = v.stream(), v(long)
            t = threading.Thread(target=lambda: (s.push(long, timeout=-1), s.finish()))
            t.start()
            assert (n.concatenate(list(s)) == whole).all()
            t.join()
        """)

    def test_one_thread_feeds_while_another_pulls(self):
        self.python("""
            import threading
            v = l.Vocoder(use="live", refine=2)
            s, whole = v.stream(), v(m)
            def feed():
                for i in range(0, m.shape[1], 3): s.push(m[:, i:i + 3])
                s.finish()
            t = threading.Thread(target=feed)
            t.start()
            assert (n.concatenate(list(s)) == whole).all() and s.ended
            t.join()
        """)

    def test_the_interpreter_ends_whatever_is_still_open(self):
        for ends in range(3):
            self.python("""
                import threading
                v = l.Vocoder(use="live", refine=1, threads=2)
                s, g = v.stream(), v.stream([m, m])
                next(g)
                s.push(m)
                class Circle: pass
                c = Circle()
                c.self, c.v, c.s, c.g = c, v, s, g  # freed in any order
                feeds = v.stream()
                def work(s):
                    while True: s.pull(timeout=-1)
                def whole():
                    while True: l.Vocoder(use="live", refine=1)(m)
                for f, a in ((work, (feeds,)), (whole, ())): threading.Thread(target=f, args=a, daemon=True).start()
                feeds.push(m)
                del v, s, g
            """)

    def test_circles_are_freed_in_any_order(self):
        self.python("""
            import gc
            class Circle: pass
            def circle():
                c = Circle()
                c.self, c.v = c, l.Vocoder(use="live", refine=1, threads=2)
                c.s, c.g = c.v.stream(), c.v.stream([m, m])
                next(c.g)
            gc.disable()
            size = lambda: int(open("/proc/self/statm").read().split()[1])
            for i in range(12):
                circle()
                gc.collect()
                if i == 3: before = size()
            assert size() - before < 3000, (before, size())  # pages
        """)

    def test_a_signal_ends_a_wait(self):
        self.python("""
            import signal
            s = l.Vocoder(refine=1).stream()
            assert not len(s.pull(timeout=.01))
            signal.setitimer(signal.ITIMER_REAL, .2)
            def stop(*_): raise KeyboardInterrupt
            signal.signal(signal.SIGALRM, stop)
            try: s.pull(timeout=-1)
            except KeyboardInterrupt: print("ended")
            else: raise AssertionError
        """)

    def test_any_shape_and_kind_of_array(self):
        self.python("""
            import array, warnings
            v = l.Vocoder(use="live", refine=1)
            should = v(m)
            class Tensor:  # as PyTorch's: no buffer, gradients to detach
                def __init__(self, x): self.x = x
                def detach(self): return Tensor(self.x)
                def cpu(self): return self
                def __array__(self, dtype=None, copy=None): return self.x
            for same in (m.T, m[None], m[None, None], n.asfortranarray(m), m.astype("f8"), m.astype(">f4"),
                         n.repeat(m, 2, 1)[:, ::2], m.tolist(), Tensor(m)):
                assert (v(same) == should).all()
            assert v(m.astype("f2")).shape == should.shape
        """)

    def test_what_is_no_mel_of_the_model_is_refused_in_a_line(self):
        self.python("""
            v = l.Vocoder()
            def refused(kind, word, call):
                try: call()
                except kind as error: assert word in str(error) and "\\n" not in str(error), error
                else: raise AssertionError(word)
            refused(l.MismatchError, "standardised", lambda: v((m - m.mean()) / m.std()))
            refused(l.MismatchError, "linear", lambda: v(n.exp(m)))
            refused(l.NotFiniteError, "NaN", lambda: v(m * n.nan))
            refused(ValueError, "80 bands", lambda: v(m[:40]))
            refused(ValueError, "80", lambda: v(m[None].repeat(2, 0)))
            refused(TypeError, "floats", lambda: v(m.astype("c8")))
            refused(TypeError, "floats", lambda: v("mel.npy"))
            refused(OSError, "nowhere", lambda: l.Vocoder("nowhere.safetensors"))
            refused(l.InvalidError, "steps", lambda: l.Vocoder(steps=-3))
            refused(l.InvalidError, "refine", lambda: l.Vocoder(refine=(1 << 40) + 1))
            refused(l.InvalidError, "refine_window", lambda: l.Vocoder(refine_window=1000))
            refused(l.InvalidError, "refine_momentum", lambda: l.Vocoder(refine_momentum=2))
            refused(l.InvalidError, "threads", lambda: l.Vocoder(threads=1000))
            refused(TypeError, "seed", lambda: l.Vocoder(seed=1.5))
            refused(l.InvalidError, "convention", lambda: l.Vocoder(convention=""))
            s = v.stream()
            s.finish()
            refused(l.InvalidError, "after finish", lambda: s.push(m))
            refused(l.InvalidError, "use", lambda: l.Vocoder(use="fast"))
            refused(l.InvalidError, "bandwidth", lambda: l.Vocoder(bandwidth="half"))
            refused(l.InvalidError, "vocos-42k", lambda: l.Vocoder(convention="vocos-42k"))
            refused(l.MismatchError, "16000", lambda: l.mel(n.zeros(16000), 16000))
            refused(TypeError, "'22050'", lambda: l.mel(n.zeros(16000), "22050"))
            refused(ValueError, "masked", lambda: v(n.ma.masked_less(m, m.max())))
            refused(ValueError, "NaN", lambda: v.stream().pull(5, timeout=n.nan))
            refused(ValueError, "NaN", lambda: v.stream().push(m, timeout=n.nan))
        """)

    def test_other_conventions_and_mels(self):
        self.python("""
            x = (n.random.RandomState(0).randn(24000) * .05).astype("f4")
            v = l.Vocoder(convention="vocos-24k", refine=1)
            assert (v.rate, v.bands, v.hop, v.convention) == (24000, 100, 256, "vocos-24k")
            mel = l.mel(x, 24000, "vocos-24k")
            assert mel.shape[0] == 100 and v(mel).shape == (mel.shape[1] * 256,)
            own = l.Vocoder(convention={"convention": "vocos-24k", "fmax": 11000}, refine=1)
            assert own.bands == 100
            none = l.Vocoder("none", convention="cosyvoice2-24k", refine=1)
            assert none(l.mel(x, 24000, "cosyvoice2-24k")).size and 0 < none.latency < 1
            assert (l.mel((x * 32767).astype("i2"), 24000, "vocos-24k").shape == mel.shape)
        """)

    def test_statistics(self):
        """All ways to say them are one, and the sound is that of the mel before it was standardised."""
        self.python("""
            import json
            mean, deviation = m.mean(1), m.std(1)
            standard = (m - mean[:, None]) / deviation[:, None]
            settings = dict(use="live", refine=1)
            own = {"convention": "hifigan-22k", "mean": mean.tolist(), "deviation": deviation.tolist()}
            should = l.Vocoder(convention=own, **settings)(standard)
            both = n.stack([mean, deviation])
            n.save("s.npy", both)
            n.savez("s.npz", mean=mean, std=deviation)
            with open("s.json", "w") as file: json.dump({"mean": mean.tolist(), "deviation": deviation.tolist()}, file)
            for s in ((mean, deviation), both, {"mean": mean, "deviation": deviation}, "s.npy", "s.npz", "s.json"):
                for c in (None, "hifigan-22k", {"mel": {"convention": "hifigan-22k"}}, "hifigan-22k,fmax=8000"):
                    assert (l.Vocoder(statistics=s, convention=c, **settings)(standard) == should).all(), (s, c)
            should = l.Vocoder(statistics=([-5.0] * 80, n.full(80, 2)), **settings)((m + 5) / 2)
            n.save("two.npy", n.array([-5.0, 2]))
            with open("two.json", "w") as file: file.write('{"mean": -5, "deviation": 2}')
            for s in ((-5, 2), "two.npy", "two.json"):
                assert (l.Vocoder(statistics=s, **settings)((m + 5) / 2) == should).all(), s
            own = {"convention": "hifigan-22k", "mean": -5, "deviation": n.float32(2)}
            assert (l.Vocoder(convention=own, **settings)((m + 5) / 2) == should).all()
            whole = l.mel(should, 22050)
            assert abs((whole + 5) / 2 - l.mel(should, 22050, own)).max() < 1e-4
            assert abs(whole - m).mean() < .15  # the sound is that of the mel before it was standardised
            with open("wrong.json", "w") as file: file.write("[1, 2]")
            def refused(kind, word, s):
                try: l.Vocoder(statistics=s)
                except kind as error: assert word in str(error) and "\\n" not in str(error), error
                else: raise AssertionError(word)
            refused(l.MismatchError, "80 of them, found 79", (mean[1:], 1))
            refused(l.MismatchError, "finite", (n.nan, 1))
            refused(l.MismatchError, "expected two", 5)
            refused(l.MismatchError, "'deviation'", {"mean": 1})
            refused(l.MismatchError, "found 'a'", ("a", 1))
            refused(l.InvalidError, "above 0", (1, 0))
            refused(l.LullError, "wrong.json", "wrong.json")
            refused(OSError, "nowhere", "nowhere.npy")
        """)

    def test_other_scales(self):
        """The sound is that of the mel, whatever its values were counted in; the names are those of the program."""
        with open(os.path.join(SOURCE, "src", "mel", "convention.c")) as file:
            names = re.search(r"\*mel_values_name\(.*?names\[\] = \{(.*?)\}", file.read(), re.S)[1]
        self.python("""
            from lull_vocoder import _conventions
            assert list(_conventions._SCALES) == %r
            settings, lower = dict(use="live", refine=2), n.log(10)
            def far(y, mel): return abs(l.mel(y, 22050) - mel).mean()
            should = l.Vocoder(**settings)(m)
            nearest, ours = far(should, m), l.mel(should, 22050)
            power = l.mel(should, 22050, "hifigan-22k,power=2,floor=1e-10")
            for scale, mel, of in (("ln", m, m), ("log10", m / lower, m), ("db", 20 * m / lower, m), ("linear", n.exp(m), m),
                                   ("ln-power", power, ours), ("log10-power", power / lower, ours),
                                   ("power-db", 10 * power / lower, ours), ("power", n.exp(power), ours),
                                   ("range:0,1:-12,2", (m + 12) / 14, m), ("range:-4,4:-12,2:ln", (m + 12) / 14 * 8 - 4, m),
                                   ("range:0,1:-1.0e2,20:db", (20 * m / lower + 100) / 120, m)):
                y = l.Vocoder(from_=scale, **settings)(mel)
                assert far(y, of) < nearest + .03, (scale, far(y, of), nearest)
                if scale == "ln": assert (y == should).all()
            same = l.Vocoder(convention="hifigan-22k,compression=log10,gain=20", **settings)(20 * m / lower)
            assert (l.Vocoder(from_="db", **settings)(20 * m / lower) == same).all()
            assert (l.Vocoder(from_="db", convention="hifigan-22k", **settings)(20 * m / lower) == same).all()
            half = l.Vocoder(from_="log10", statistics=(-2, .5), **settings)((m / lower + 2) * 2)
            assert far(half, m) < nearest + .03
            for scale, word in (("nepers", "'power-db'"), ("range:0,1", "MIN,MAX"), ("range:0,1:2,2", "different")):
                try: l.Vocoder(from_=scale)
                except l.InvalidError as error: assert word in str(error), error
                else: raise AssertionError(scale)
            try: l.Vocoder(from_="range:0,1:-12,2", convention="bigvgan-24k")
            except l.InvalidError as error: assert "':ln'" in str(error)
            else: raise AssertionError
            l.Vocoder(from_="range:-1,1:-12,2:ln", convention="bigvgan-24k")
        """ % re.findall(r'"(.*?)"', names))

    def test_refusals_speak_of_parameters(self):
        """What the library says in the program's terms is said in Python's; of the options that it names none is left."""
        texts = [text for text in texts_of_the_library() if re.search(r"(?<![\w-])--?[a-z]|'lull |pitch_model", text)]
        self.assertGreater(len(texts), 12)
        with open(os.path.join(self.folder, "texts"), "w") as file:
            file.write("\n".join(texts))
        self.python("""
            import re
            from lull_vocoder._library import in_our_terms
            for text in open("texts"):
                text = re.sub("'lull train[^']*'", "", in_our_terms(text))  # that makes models, which Python does not
                assert not re.search(r"(?<![\\w-])--?[a-z]|'lull |pitch_model", text), text
            v = l.Vocoder()
            def refused(word, mel):
                try: v(mel)
                except l.MismatchError as error: assert word in str(error), error
                else: raise AssertionError(word)
            refused("give the mean and deviation with statistics=", (m - m.mean(1, keepdims=True)) / m.std(1, keepdims=True))
            refused("convert with from_='db' (", 20 * m / n.log(10))
            refused("convert with from_='log10' when", m / n.log(10))
            refused("with convention=, as parallelwavegan", m / n.log(10))
            refused("from_='range:-1,1:MIN,MAX', where", (m - m.min()) / (m.max() - m.min()) * 2 - 1)
            refused("say so with convention='hifigan,norm=none', or for HTK filters convention='hifigan,scale=htk,norm=none'", m + 5)
        """)

    def test_blocks_of_the_documents(self):
        """Every Python block of README.md and docs/python.md runs, those of one document one after the other."""
        folder = os.path.join(self.folder, "documents")
        os.mkdir(folder)
        for name, text in STUBS.items():
            with open(os.path.join(folder, name + ".py"), "w") as file:
                file.write(textwrap.dedent(text))
        for name, section in (("README.md", "## From Python"), ("docs/python.md", "# From Python")):
            with open(os.path.join(SOURCE, name)) as file:
                text = file.read().split("\n" + section if name == "README.md" else section, 1)[1].split("\n## From C\n")[0]
            blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
            self.assertGreater(len(blocks), 1)
            with open(os.path.join(folder, "blocks.py"), "w") as file:
                file.write("\n".join(blocks))
            self.python("""
                import os, sys
                sys.path.insert(0, os.path.abspath("documents"))
                n.save("mel.npy", m)
                exec(compile(open("documents/blocks.py").read(), %r, "exec"), {})
            """ % name)

    def test_a_pitch_that_is_known(self):
        """f0 takes the place of what the network hears: given whole, pushed in pieces, as the program takes it."""
        f0 = os.path.join(self.folder, "f0.npy")
        self.python("""
            f0 = n.full(m.shape[1], 150.0); f0[:40] = 0; f0[-3:] = n.nan
            n.save("f0.npy", f0.astype("f4"))
            v = l.Vocoder("none", source="pitch", convention="hifigan-22k", transpose=-2)
            whole = v(m, f0=f0)
            assert not (whole == v(m)).all() and whole.std() > 1e-3
            s, pieces = l.Vocoder("none", source="pitch", convention="hifigan-22k", transpose=-2, use="offline").stream(), []
            for i in range(0, m.shape[1], 7):
                s.push(m[:, i:i + 7], f0[i:i + 7])
                pieces.append(s.pull())
            s.finish()
            pieces.append(s.pull())
            assert (n.concatenate(pieces) == whole).all()
            noise = l.Vocoder("none", source="noise", convention="hifigan-22k")(m)
            assert (v(m, f0=0 * f0) == noise).all() if not n.isnan(f0).any() else True
            whole.tofile("whole")
            for wrong in (f0[1:], f0 - 1000, "high"):
                try: v(m, f0=wrong)
                except (ValueError, TypeError, l.InvalidError): continue
                assert False, wrong
        """)
        out = os.path.join(self.folder, "out.raw")
        run(PROGRAM, "synth", "-q", os.path.join(SOURCE, "audio_samples", "weasels-22k.npy"), "--model", "none", "--source",
            "pitch", "--f0", f0, "--transpose", "-2", "-c", "hifigan-22k", "-f", "float", "-o", out + ".wav")
        with open(out + ".wav", "rb") as file, open(os.path.join(self.folder, "whole"), "rb") as whole:
            self.assertTrue(file.read().find(whole.read()[:4096]) > 0)

    def test_a_pitch_is_not_left_unheard(self):
        """A model without a pitch network takes the package's where a pitch is asked for; what cannot use one refuses it."""
        self.python("""
            import os
            m = n.load(%r)
            def refused(kind, f):
                try: f()
                except kind as error: return str(error)
                assert False, f
            plain, lower = l.Vocoder(%r), l.Vocoder(%r, transpose=-5)
            assert not (plain(m) == lower(m)).all()
            f0 = n.full(m.shape[1], 150.0)
            assert "source='pitch'" in refused(l.InvalidError, lambda: plain(m, f0=f0))
            stream = plain.stream()
            assert "source='pitch'" in refused(l.InvalidError, lambda: stream.push(m, f0))
            assert not (lower(m, f0=f0) == lower(m)).all()
            assert "logarithms" in refused(ValueError, lambda: lower(m, f0=n.where(f0 > 0, 5.0, n.nan)))
            assert "'noise'" in refused(l.InvalidError, lambda: l.Vocoder(source="noise", transpose=2))
            assert "'noise'" in refused(l.InvalidError, lambda: l.Vocoder(source="noise")(n.load(%r), f0=n.ones(1)))
            assert "expected 1 to" in refused(l.InvalidError, lambda: l.Vocoder(steps=0))
            refused(l.UnsupportedError, lambda: l.Vocoder("none", postnet=True))
            assert "32768" in refused(ValueError, lambda: l.mel(n.full(5000, 3000.0), 22050))
        """ % (os.path.join(SOURCE, "audio_samples", "weasels-16k.npy"), *[os.path.join(SOURCE, "models", "lull-bootstrap-16k.safetensors")] * 2,
               os.path.join(SOURCE, "audio_samples", "weasels-22k.npy")))

    def test_what_lies_above_the_mel(self):
        """"full" is what the program's --bandwidth full gives; below the mel's end nothing else than with "mel"."""
        self.python("""
            def level(x, low, high):
                s = n.abs(n.fft.rfft(x * n.hanning(len(x)))) ** 2
                f = n.fft.rfftfreq(len(x), 1 / 22050)
                return 10 * n.log10(s[(f > low) & (f < high)].mean())
            mel, full, auto = [l.Vocoder(bandwidth=b, use="live", refine=2)(m) for b in ("mel", "full", None)]
            assert (auto == full).all()
            assert level(full, 8500, 10800) > level(mel, 8500, 10800) + 10
            assert abs(level(full, 100, 7500) - level(mel, 100, 7500)) < .01
            full.tofile("full")
        """)
        out = os.path.join(self.folder, "full.wav")
        run(PROGRAM, "synth", "-q", os.path.join(SOURCE, "audio_samples", "weasels-22k.npy"), "-m", os.path.join(
            SOURCE, "models", "lull-speech-22k.safetensors"), "--bandwidth", "full", "--live", "-r", "2", "-f", "float", "-o", out)
        with open(out, "rb") as file, open(os.path.join(self.folder, "full"), "rb") as full:
            self.assertTrue(file.read().find(full.read()[:4096]) > 0)

    def test_latency_is_what_the_stream_keeps_back(self):
        self.python("""
            v = l.Vocoder(refine=1)
            s, late, got = v.stream(), round(v.latency * v.rate), 0
            assert late == round(s.latency * v.rate) > 0
            for i in range(60):
                s.push(m[:, i])
                got += len(s.pull())
                assert got == max(0, (i + 1) * v.hop - late)
        """)

    def test_nothing_but_what_the_wheel_holds(self):
        names = run(PYTHON, "-m", "zipfile", "-l", self.wheel)
        for name in ("liblull.so", "py.typed", "models/lull-speech-22k.safetensors", "vocoder.py", "licences/LICENSE"):
            self.assertIn(name, names)
        library = self.python("import lull_vocoder._library as a; print(a._find())").strip()
        self.assertTrue(library.startswith(self.env), library)
        needed = run("ldd", library)
        for foreign in ("openblas", "sndfile", "soxr", "png", "cjson", "portaudio"):
            self.assertNotIn(foreign, needed)


if __name__ == "__main__":
    if subprocess.run([PYTHON, "-c", NEEDS], stderr=subprocess.DEVNULL).returncode:
        sys.exit(77)
    unittest.main()
