#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a server really answers: REQUESTs at a rate beyond its capacity, ACKs counted by the kernel's stamps.

flood_requests.py LOCAL SERVER RATE SECONDS

Sends relayed REQUESTs from LOCAL port 67 (so run it on an address no relay is carried by) at RATE per second,
and prints the ACKs per second between the first and the last stamp after the first half second.
"""
import socket
import struct
import sys
import time

SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33
WARMUP_S = 0.5


def request(local, number):
    mac = b"\x02\x4c\x46" + struct.pack("!I", number)[1:]
    head = struct.pack("!BBBBIHH", 1, 1, 6, 1, number, 0, 0) + b"\0" * 12 + socket.inet_aton(local)
    return head + mac + b"\0" * 10 + b"\0" * 192 + b"\x63\x82\x53\x63" + b"\x35\x01\x03\xff"


def drain(sock, stamps):
    while True:
        try:
            _, control, _, _ = sock.recvmsg(1500, 64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", data[:16])
                stamps.append(seconds + nanoseconds / 1e9)


def flood(sock, local, server, rate, seconds):
    stamps = []
    sent = 0
    packets = [request(local, n) for n in range(4096)]
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        due = int(now * rate)
        for n in range(sent, due):
            sock.sendto(packets[n % len(packets)], (server, 67))
        sent = max(sent, due)
        time.sleep(0.0005)
    drain(sock, stamps)  # they carry the instants at which they came
    return sent, stamps


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    local, server, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((local, 67))
        sent, stamps = flood(sock, local, server, rate, seconds)
    measured = [s for s in stamps if s >= stamps[0] + WARMUP_S] if stamps else []
    if len(measured) < 100:
        sys.exit(f"{server} answered only {len(stamps)} of {sent} REQUESTs")
    print(f"{(len(measured) - 1) / (measured[-1] - measured[0]):.2f}")


if __name__ == "__main__":
    main()
