"""Sound servers without a sound card, each in a folder of its own, for the live tests.

PulseAudio plays into a null sink whose monitor is recorded; JACK runs its dummy driver and a client records
its ports; ALSA's file plug-in writes what it is given. A test asks for one with `with`; where the server's
program is absent the test is skipped with one line, and when nothing is left main() ends with code 77, which
Meson counts as skipped.
"""
import functools
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} is not installed")


def wait_until(what, condition, seconds=15.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.03)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")


def patient(case):
    """A class of tests that keep time: where the machine has more to do than it can, each gets three tries."""
    def again(test):
        @functools.wraps(test)
        def tries(self):
            for _ in range(2):
                try:
                    return test(self)
                except AssertionError:
                    if os.getloadavg()[0] <= os.cpu_count():
                        raise
            return test(self)
        return tries
    for name, test in list(vars(case).items()):
        if name.startswith("test_"):
            setattr(case, name, again(test))
    return case


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Home:
    """A temporary HOME with an .asoundrc, and the environment to run programs in."""

    asoundrc = ""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="lull-live-")
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith(("PULSE_", "JACK_", "ALSA_"))}
        run = os.path.join(self.home, "run")
        os.mkdir(run, 0o700)
        self.environment.update(HOME=self.home, XDG_RUNTIME_DIR=run, LC_ALL="C.UTF-8",
                                XDG_CONFIG_HOME=os.path.join(self.home, "config"))
        # Sound libraries keep memory until the end of the process, for their own good.
        self.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(os.path.join(self.home, ".asoundrc"), "w") as file:
            file.write(self.asoundrc.replace("HOME", self.home))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        pass

    def stop(self):
        pass

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.home, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return floats(file.read())


class Pulse(Home):
    """PulseAudio with a null sink of the given format; record() gives what reached it."""

    asoundrc = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"

    def __init__(self, rate, channels=1):
        need("pulseaudio", "parec", "pactl")
        self.rate, self.channels = rate, channels
        self.server = self.recorder = None

    def start(self):
        self.server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=error",
             "--use-pid-file=no", "--disable-shm=yes",
             "-L", "module-native-protocol-unix",
             "-L", f"module-null-sink sink_name=t rate={self.rate} channels={self.channels} "
                   "format=float32le"],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("PulseAudio answers", lambda: subprocess.run(
            ["pactl", "info"], env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0)

    def kill(self):
        self.server.kill()
        self.server.wait()
        self.recorder_end()

    def recorder_begin(self):
        self.recording = open(self.path("recording.raw"), "wb")
        self.recorder = subprocess.Popen(
            ["parec", "-d", "t.monitor", "--format=float32le", f"--rate={self.rate}",
             f"--channels={self.channels}", "--latency-msec=20"],
            env=self.environment, stdout=self.recording, stderr=subprocess.DEVNULL)
        # It records once the first bytes (silence) have come.
        wait_until("the recorder records", lambda: os.path.getsize(self.path("recording.raw")) > 0)

    def recorder_end(self, linger=0.5):
        if not self.recorder:
            return []
        time.sleep(linger)
        end(self.recorder)
        self.recorder = None
        self.recording.close()
        return self.read("recording.raw")

    def stop(self):
        end(self.recorder)
        end(self.server)


class AlsaFile(Pulse):
    """ALSA's file plug-in as the device "tofile": what is played lands in a raw file. Behind it PulseAudio's null
    sink keeps time."""

    asoundrc = """
pcm.server { type pulse }
pcm.tofile { type file; slave.pcm "server"; file "HOME/played.raw"; format "raw" }
"""

    def played(self):
        return self.read("played.raw")


def floats(data):
    data = data[:len(data) // 4 * 4]
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def raw(samples):
    return struct.pack(f"<{len(samples)}f", *samples)


def trim(samples):
    """Without the silence around."""
    first = next((i for i, x in enumerate(samples) if x != 0.0), len(samples))
    last = next((i for i in range(len(samples), 0, -1) if samples[i - 1] != 0.0), 0)
    return samples[first:last]


class Jack(Home):
    """A JACK server of its own with the dummy driver, and a client that records what is played to it: the
    output device "lullrec"."""

    def __init__(self, rate, recorder, period=2048):
        need("jackd")
        if not os.path.exists(recorder):
            raise unittest.SkipTest("jack_record was not built: there are no JACK headers")
        self.rate, self.period, self.program = rate, period, recorder
        self.name = f"lull{os.getpid()}"
        self.server = self.recorder = None

    def start(self):
        self.environment["JACK_DEFAULT_SERVER"] = self.name
        self.environment["JACK_NO_AUDIO_RESERVATION"] = "1"
        self.server = subprocess.Popen(
            ["jackd", "-r", "-n", self.name, "-d", "dummy", "-r", str(self.rate), "-p", str(self.period)],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def begun():
            self.recorder = subprocess.Popen([self.program], env=self.environment, stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            line = self.recorder.stderr.readline()
            while line and line != b"ready\n":
                line = self.recorder.stderr.readline()
            if not line:
                self.recorder.communicate()
            return line
        wait_until("a JACK client connects", begun)

    def recorded(self):
        out, _ = self.recorder.communicate(b"")
        return floats(out)

    def stop(self):
        end(self.recorder)
        end(self.server)


def main():
    outcome = unittest.main(exit=False, verbosity=1).result
    for _, reason in outcome.skipped:
        print(f"skipped: {reason}")
    if outcome.wasSuccessful() and len(outcome.skipped) == outcome.testsRun:
        sys.exit(77)
    sys.exit(not outcome.wasSuccessful())
