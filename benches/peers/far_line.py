"""Emulates a line with a given round-trip time inside a network namespace, without netem.

A TUN device hands each packet for 198.18.0.2 to this program. After half the round-trip time it
comes back with both addresses exchanged, which keeps all checksums right: what a client sends to
198.18.0.2 reaches a server that listens at 198.18.0.1, and so does each answer in turn.

    unshare --net python3 far_line.py MILLISECONDS COMMAND [ARGUMENT]...

Exits with the status of the command, which runs while the line is there.
"""

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

DEVICE = "far0"
ADDRESS = "198.18.0.1/24"  # RFC 2544: for benchmarks
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def main():
    delay = float(sys.argv[1]) / 2000
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", "lo", "up")
    ip("address", "add", ADDRESS, "dev", DEVICE)
    # Room for every packet that is under way.
    ip("link", "set", DEVICE, "mtu", str(MTU), "txqueuelen", "100000", "up")
    command = subprocess.Popen(sys.argv[2:])
    under_way = collections.deque()
    while command.poll() is None:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            os.write(tun, under_way.popleft()[1])
        wait = min(under_way[0][0] - now, 0.1) if under_way else 0.1
        if not select.select([tun], [], [], max(wait, 0))[0]:
            continue
        try:
            while True:
                packet = os.read(tun, MTU)
                if packet[0] >> 4 == 4:
                    exchanged = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                    under_way.append((time.monotonic() + delay, exchanged))
        except BlockingIOError:
            pass
    sys.exit(command.returncode)


main()
