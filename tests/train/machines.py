"""Several machines in one: network namespaces with links between them, whose delay or rate can be set.

Two have a pair of virtual Ethernet devices, more are plugged into a bridge. Delay (of two) comes from the kernel (tc netem) where it has that, else from
this process, which then carries the packets between two TUN devices. Needs root; Machines.why_not() says what is
missing.
"""

import fcntl
import heapq
import os
import select
import shutil
import struct
import subprocess
import tempfile
import threading
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def quiet(*words):
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class Relay(threading.Thread):
    """Carries packets between two TUN devices, each `delay` seconds after it came."""

    def __init__(self, names, delay):
        super().__init__(daemon=True)
        self.delay, self.over = delay, False
        self.files = []
        for name in names:
            file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            self.files.append(file)
            fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
        self.packets = 0

    def run(self):
        waiting, number = [], 0
        while not self.over:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, to, packet = heapq.heappop(waiting)
                try:
                    os.write(to, packet)
                except OSError:
                    pass  # a full or vanished device loses packets, as networks do
            rest = min(0.2, waiting[0][0] - now) if waiting else 0.2
            for file in select.select(self.files, [], [], max(0.0, rest))[0]:
                for _ in range(64):
                    try:
                        packet = os.read(file, 65536)
                    except OSError:
                        break
                    number += 1
                    self.packets = number
                    to = self.files[1 - self.files.index(file)]
                    heapq.heappush(waiting, (time.monotonic() + self.delay, number, to, packet))

    def close(self):
        self.over = True
        self.join()
        for file in self.files:
            os.close(file)


class Machines:
    """`count` namespaces, until close(). delay: seconds one way (two machines only); rate: bits a second that each can
    send, and receive; 0 = as it is."""

    def __init__(self, count=2, delay=0.0, rate=0.0):
        number = os.getpid() % 250 + 1
        sides = "abcdefgh"[:count]
        self.names = tuple("lull%s%d" % (side, os.getpid()) for side in sides)
        self.devices = tuple("ll%s%d" % (side, os.getpid()) for side in sides)
        self.ports = tuple("lp%s%d" % (side, os.getpid()) for side in sides)
        self.bridge = "lbr%d" % os.getpid()
        self.addresses = tuple("10.77.%d.%d" % (number, i + 1) for i in range(count))
        self.network = "10.77.%d.0/24" % number
        self.folder = tempfile.mkdtemp(prefix="lull-machines-")
        self.relay = None
        self.how = "no delay"
        try:
            self.build(delay, rate)
        except Exception:
            self.close()
            raise

    @staticmethod
    def why_not():
        for program in ("ip", "tc", "unshare"):
            if shutil.which(program) is None:
                return "%s is not installed (iproute2, util-linux)" % program
        name = "lulltry%d" % os.getpid()
        if not quiet("ip", "netns", "add", name):
            return "network namespaces are not permitted here"
        device = quiet("ip", "-n", name, "link", "add", "try0", "type", "veth", "peer", "name", "try1")
        quiet("ip", "netns", "del", name)
        return None if device else "virtual Ethernet devices are not permitted here"

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)

    def build(self, delay, rate):
        for name in self.names:
            self.ip("netns", "add", name)
            self.ip("-n", name, "link", "set", "lo", "up")
        netem = False
        if len(self.names) > 2:
            self.plug_in(rate)
        else:
            self.ip("link", "add", self.devices[0], "type", "veth", "peer", "name", self.devices[1])
            netem = delay > 0 and quiet("tc", "qdisc", "add", "dev", self.devices[0], "root", "netem", "delay", "1ms")
            if netem:
                subprocess.run(["tc", "qdisc", "del", "dev", self.devices[0], "root"], check=True)
        if delay > 0 and not netem:
            self.ip("link", "del", self.devices[0])
            self.relay = Relay(self.devices, delay)
        for name, device, address in zip(self.names, self.devices, self.addresses):
            self.ip("link", "set", device, "netns", name)
            if self.relay is None:
                self.ip("-n", name, "addr", "add", address + "/24", "dev", device)
            else:
                other = self.addresses[1 - self.addresses.index(address)]
                self.ip("-n", name, "addr", "add", address + "/24", "peer", other, "dev", device)
            self.ip("-n", name, "link", "set", device, "up")
            if rate > 0:
                self.limit(["-n", name], device, rate)
            elif netem:
                subprocess.run(["tc", "-n", name, "qdisc", "add", "dev", device, "root", "netem", "delay",
                                "%dus" % round(delay * 1e6)], check=True)
        if self.relay is not None:
            self.relay.start()
        if delay > 0:
            self.how = "%g ms each way by %s" % (1e3 * delay, "netem" if netem else "a relay between TUN devices")
        agent = os.path.join(self.folder, "agent")
        with open(agent, "w") as file:  # instead of ssh
            file.write("#!/bin/sh\nhost=$1\nshift\ncase $host in\n")
            for name, address in list(zip(self.names, self.addresses))[1:]:
                file.write('%s) exec ip netns exec %s unshare -u sh -c "hostname %s; $*" ;;\n'
                           % (address, name, "lull-" + name[4]))
            file.write("esac\nexit 1\n")
        os.chmod(agent, 0o755)

    def plug_in(self, rate):
        self.ip("link", "add", self.bridge, "type", "bridge")
        self.ip("link", "set", self.bridge, "up")
        for device, port in zip(self.devices, self.ports):
            self.ip("link", "add", device, "type", "veth", "peer", "name", port)
            self.ip("link", "set", port, "master", self.bridge)
            self.ip("link", "set", port, "up")
            if rate > 0:
                self.limit([], port, rate)

    @staticmethod
    def limit(where, device, rate):
        subprocess.run(["tc", *where, "qdisc", "add", "dev", device, "root", "tbf", "rate", "%dbit" % rate, "burst",
                        "%d" % max(65536, rate / 800), "latency", "200ms"], check=True)

    def mpirun(self, *words):
        """The words that run others, one rank a machine."""
        start = 'hostname lull-a; exec "$@"'
        return ["ip", "netns", "exec", self.names[0], "unshare", "-u", "sh", "-c", start, "sh",
                "mpirun", "-n", str(len(self.names)), "--host", ",".join(a + ":1" for a in self.addresses),
                "--mca", "plm_rsh_agent", os.path.join(self.folder, "agent"),
                "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", self.network,
                "--mca", "oob_tcp_if_include", self.network, *words]

    def round_trip(self):
        """Seconds, by ping's own connection: a TCP handshake."""
        code = ("import socket,time,sys\ns=socket.socket();t=time.monotonic()\n"
                "try: s.connect((sys.argv[1],9))\nexcept OSError: pass\nprint(time.monotonic()-t)")
        done = subprocess.run(["ip", "netns", "exec", self.names[0], "python3", "-c", code, self.addresses[1]],
                              stdout=subprocess.PIPE, check=True)
        return float(done.stdout)

    def bytes_sent(self):
        """By the first machine so far."""
        done = subprocess.run(["ip", "netns", "exec", self.names[0], "cat", "/proc/net/dev"], stdout=subprocess.PIPE,
                              check=True)
        for line in done.stdout.decode().splitlines():
            if line.strip().startswith(self.devices[0] + ":"):
                return int(line.split(":")[1].split()[8])
        return 0

    def close(self):
        if self.relay is not None:
            self.relay.close()
        for name in self.names:
            quiet("ip", "netns", "del", name)
        for device in (*self.devices, self.bridge):
            quiet("ip", "link", "del", device)
        shutil.rmtree(self.folder, True)
