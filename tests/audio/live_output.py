"""The live output on real sound systems, headless: what arrives is what was written, sample for sample.

The environment gives PLAY_RAW and JACK_RECORD, the programs beside this file. Standard library alone.
"""
import math
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import live_servers as live

PLAY_RAW = os.environ["PLAY_RAW"]
JACK_RECORD = os.environ.get("JACK_RECORD", "")


def signal(seconds, rate):
    """Speech-like in that no sample is zero and no two stretches are alike."""
    return live.floats(live.raw([0.2 * math.sin(0.01 * i * (1 + i * 1e-5)) + 0.001 + 1e-7 * i
                                 for i in range(int(seconds * rate))]))


def command(rate, device="", device_rate=0, *more):
    return [PLAY_RAW, str(rate), device, str(device_rate), *more]


def play(server, samples, *arguments, **keywords):
    done = subprocess.run(command(*arguments), input=live.raw(samples), env=server.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **keywords)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@live.patient
class PulseAudio(unittest.TestCase):
    def test_exact_and_counted(self):
        for rate in (16000, 22050):
            sound = signal(2.0, rate)
            with live.Pulse(rate) as server:
                server.recorder_begin()
                code, out, err = play(server, sound, rate)
                heard = live.trim(server.recorder_end())
            self.assertEqual((code, err), (0, ""))
            self.assertIn(f"rate {rate} ", out)
            self.assertIn(f"played {len(sound)} silent 0 gaps 0 ", out)
            self.assertEqual(len(heard), len(sound))
            self.assertTrue(heard == sound)

    def test_twice_at_once(self):
        """Two programs on one device: the server adds their samples, and neither disturbs the other."""
        sound = signal(1.5, 16000)
        with live.Pulse(16000) as server:
            server.recorder_begin()
            both = [subprocess.Popen(command(16000), env=server.environment, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE) for _ in range(2)]
            for process in both:
                process.stdout.readline()
            outputs = []
            for process in both:
                process.stdin.write(live.raw(sound))
                process.stdin.close()
            for process in both:
                outputs.append(process.stdout.read().decode())
                process.stdout.close()
                self.assertEqual(process.wait(30), 0)
            heard = live.trim(server.recorder_end())
        for out in outputs:
            self.assertIn(f"played {len(sound)} silent 0 gaps 0 ", out)
        self.assertAlmostEqual(sum(heard), 2 * sum(sound), delta=1e-3 * abs(sum(sound)))

    def test_other_rate(self):
        """A device opened at another rate: the tone keeps its pitch, level and length."""
        tone = [0.5 * math.sin(2 * math.pi * 440 * i / 16000) for i in range(32000)]
        with live.Pulse(48000) as server:
            server.recorder_begin()
            code, out, err = play(server, tone, 16000, "", 48000)
            heard = live.trim(server.recorder_end())
        self.assertEqual((code, err), (0, ""))
        self.assertIn("rate 48000 ", out)
        self.assertLess(abs(len(heard) - 96000), 400)
        middle = heard[24000:72000]
        crossings = sum(1 for a, b in zip(middle, middle[1:]) if a < 0 <= b)
        self.assertLess(abs(crossings - 440), 2)
        level = math.sqrt(sum(x * x for x in middle) / len(middle))
        self.assertAlmostEqual(level, 0.5 / math.sqrt(2), delta=1e-4)


@live.patient
class PulseAudioLate(unittest.TestCase):
    """Producers that stall or die."""

    def test_stalled_producer(self):
        """Sound, a stall, sound: a gap between complementary fades, and every sample around it."""
        rate, fade = 16000, 80
        first, second = signal(1.0, rate), [x + 0.25 for x in signal(1.0, rate)]
        second = live.floats(live.raw(second))
        with live.Pulse(rate) as server:
            server.recorder_begin()
            process = subprocess.Popen(command(rate), env=server.environment, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
            process.stdin.write(live.raw(first[:15360]))  # whole blocks of the reader
            process.stdin.flush()
            time.sleep(2.0)
            process.stdin.write(live.raw(second))
            process.stdin.close()
            out = process.stdout.read().decode()
            process.stdout.close()
            self.assertEqual(process.wait(30), 0)
            heard = live.trim(server.recorder_end())
        first = first[:15360]
        self.assertIn(f"played {len(first) + len(second)} ", out)
        self.assertIn(" gaps 1 ", out)
        kept = len(first) - fade
        self.assertTrue(heard[:kept] == first[:kept])
        resumed = next(i for i in range(kept + fade, len(heard)) if heard[i] != 0.0)
        self.assertGreater(resumed - kept - fade, rate // 2)
        for i in range(fade):
            self.assertAlmostEqual(heard[kept + i] + heard[resumed + i], first[kept + i], places=6)
        self.assertTrue(heard[resumed + fade:] == second)

    def test_killed_producer(self):
        """The writer of the pipe dies: what came is played to its end."""
        sound = signal(0.5, 16000)
        with live.Pulse(16000) as server:
            server.recorder_begin()
            writer = subprocess.Popen([sys.executable, "-c",
                                       "import sys,time;d=open(sys.argv[1],'rb').read();"
                                       "sys.stdout.buffer.write(d);sys.stdout.flush();time.sleep(60)",
                                       self.write(server, sound)], stdout=subprocess.PIPE)
            process = subprocess.Popen(command(16000), env=server.environment, stdin=writer.stdout,
                                       stdout=subprocess.PIPE)
            writer.stdout.close()
            time.sleep(1.0)
            writer.kill()
            writer.wait()
            process.stdout.read()
            process.stdout.close()
            self.assertEqual(process.wait(30), 0)
            heard = live.trim(server.recorder_end())
        self.assertEqual(heard[:7000], sound[:7000])
        self.assertAlmostEqual(sum(heard), sum(sound), delta=1e-3)

    def write(self, server, samples):
        path = server.path("input.raw")
        with open(path, "wb") as file:
            file.write(live.raw(samples))
        return path


@live.patient
class PulseAudioLost(unittest.TestCase):
    """The sound server goes away."""

    def test_lost_and_back(self):
        """The sound server dies and a new one comes: the rest is played there."""
        sound = signal(6.0, 16000)
        with live.Pulse(16000) as server:
            process = subprocess.Popen(command(16000, "", 0, "reopen"), env=server.environment,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertIn(b"rate 16000", process.stdout.readline())
            process.stdin.write(live.raw(sound[:32000]))
            process.stdin.flush()
            time.sleep(0.7)
            server.kill()
            lost = process.stdout.readline()
            self.assertIn(b"lost at ", lost)
            server.start()
            server.recorder_begin()
            self.assertEqual(process.stdout.readline(), b"back\n")
            process.stdin.write(live.raw(sound[32000:]))
            process.stdin.close()
            out = process.stdout.read().decode()
            err = process.stderr.read().decode()
            process.stdout.close()
            process.stderr.close()
            # PortAudio itself reports what failed inside it ("Expression '…' failed"); we say nothing.
            ours = [line for line in err.splitlines() if not line.startswith("Expression '")]
            self.assertEqual((process.wait(60), ours), (0, []))
            heard = live.trim(server.recorder_end())
        self.assertIn(f"played {len(sound)} ", out)
        self.assertGreater(len(heard), 60000)
        # The end arrived whole, after a short fade at most.
        self.assertTrue(heard[-60000:] == sound[-60000:])

    def test_lost(self):
        """Without patience: the device that goes away ends it, with its position."""
        with live.Pulse(16000) as server:
            process = subprocess.Popen(command(16000), env=server.environment, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            process.stdout.readline()
            process.stdin.write(live.raw(signal(2.0, 16000)))
            process.stdin.flush()
            time.sleep(0.5)
            server.kill()
            self.assertIn(b"lost at ", process.stdout.readline())
            self.assertEqual(process.wait(30), 1)
            process.stdin.close()
            process.stdout.close()


@live.patient
class JackServer(unittest.TestCase):
    def test_exact(self):
        sound = signal(2.0, 16000)
        with live.Jack(16000, JACK_RECORD) as server:
            code, out, err = play(server, sound, 16000, "lullrec")
            heard = live.trim(server.recorded())
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"played {len(sound)} silent 0 gaps 0 ", out)
        self.assertEqual(len(heard), len(sound))
        self.assertTrue(heard == sound)

    def test_its_own_rate(self):
        """JACK has one rate: the signal is converted to it."""
        tone = [0.5 * math.sin(2 * math.pi * 440 * i / 16000) for i in range(32000)]
        with live.Jack(48000, JACK_RECORD, 4096) as server:
            code, out, err = play(server, tone, 16000, "lullrec")
            heard = live.trim(server.recorded())
        self.assertEqual((code, err), (0, ""))
        self.assertIn("rate 48000 ", out)
        self.assertLess(abs(len(heard) - 96000), 400)


@live.patient
class AlsaFile(unittest.TestCase):
    def test_exact(self):
        sound = signal(1.0, 16000)
        with live.AlsaFile(16000) as server:
            code, out, err = play(server, sound, 16000, "tofile")
            heard = live.trim(server.played())
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"played {len(sound)} ", out)
        self.assertTrue(heard == sound)


class NoDevice(unittest.TestCase):
    def test_one_line(self):
        class Nothing(live.Home):
            asoundrc = ""
        with Nothing() as server:
            if os.path.isdir("/proc/asound"):
                self.skipTest("this machine has ALSA devices")
            code, out, err = play(server, [0.0], 16000)
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn("lull synth", err)


if __name__ == "__main__":
    live.main()
