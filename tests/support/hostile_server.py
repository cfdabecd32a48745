#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""DHCP servers that lie, stammer, flood or fall short, one kind per relay, all on one address.

usage: hostile_server.py ADDRESS RELAY=MODE...

RELAY is the address requests come from (giaddr, else the source). A mode with `late-` before it is an honest server
until three clients of that relay have released their leases, which is what preflight does. Ends on SIGTERM.
"""
import random
import select
import socket
import struct
import sys
import threading
import time

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
LEASE_S = 12
INFINITE = 0xFFFFFFFF
PREFLIGHT_RELEASES = 3
FLOOD_PER_S, FLOOD_S = 20000, 2
BLOCK = struct.unpack("!I", socket.inet_aton("10.10.0.0"))[0]


def number(text):
    return struct.unpack("!I", socket.inet_aton(text))[0]


def packed(value):
    return struct.pack("!I", value & 0xFFFFFFFF)


class Request:
    """What a client or relay sent; None of it is checked beyond what an answer needs."""

    def __init__(self, data, source):
        self.source = source
        self.xid = data[4:8]
        self.ciaddr = data[12:16]
        self.giaddr = data[24:28]
        self.chaddr = data[28:44]
        self.mac = data[28:34]
        self.options = {}
        at = 240
        while at + 1 < len(data) and data[at] != 255:
            if data[at] == 0:
                at += 1
                continue
            self.options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
        self.type = self.options.get(53, b"\0")[0]

    @property
    def is_relayed(self):
        return self.giaddr != b"\0\0\0\0"

    @property
    def relay(self):
        return socket.inet_ntoa(self.giaddr) if self.is_relayed else self.source[0]

    @property
    def to(self):
        return (self.relay, 67 if self.is_relayed else 68)


class Relay:
    """The pool of one relay and how far its clients are."""

    def __init__(self, mode, index):
        self.is_late = mode.startswith("late-")
        self.mode = mode[5:] if self.is_late else mode
        self.base = BLOCK + (index << 8)
        self.given = {}
        self.released = 0
        self.flood_is_begun = False

    @property
    def is_hostile(self):
        return not self.is_late or self.released >= PREFLIGHT_RELEASES

    def address_of(self, mac):
        return self.given.setdefault(mac, self.base + 1 + len(self.given))


class Server:
    def __init__(self, address, relays):
        self.address = address
        self.own = number(address)
        self.relays = {who: Relay(mode, i + 1) for i, (who, mode) in enumerate(relays)}
        self.random = random.Random(7)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, 67))
        self.odd_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.odd_socket.bind((address, 40067))

    # ---- answers as they should be ----

    def reply(self, request, kind, yiaddr, options=None, **fields):
        """`options`: replaces or, with None, removes; `fields`: xid, chaddr, giaddr, server."""
        all_options = {53: bytes([kind]), 54: packed(fields.get("server", self.own))}
        if kind != NAK and yiaddr:
            all_options[51] = packed(LEASE_S)
            all_options[1] = packed(0xFFFF0000)
        all_options.update(options or {})
        return self.frame(request, yiaddr, fields) + COOKIE + b"".join(
            bytes([code, len(value)]) + value for code, value in all_options.items() if value is not None) + b"\xff"

    def frame(self, request, yiaddr, fields):
        return (b"\x02\x01\x06\x00" + fields.get("xid", request.xid) + b"\0\0\0\0" +
                request.ciaddr + packed(yiaddr) + b"\0\0\0\0" + fields.get("giaddr", request.giaddr) +
                fields.get("chaddr", request.chaddr) + fields.get("names", b"\0" * 192))

    def kind_of_answer(self, request):
        return {DISCOVER: OFFER, REQUEST: ACK, INFORM: ACK}.get(request.type)

    def honest(self, request, relay, options=None, **fields):
        kind = self.kind_of_answer(request)
        yiaddr = fields.pop("yiaddr", 0 if request.type == INFORM else relay.address_of(request.mac))
        return [self.reply(request, kind, yiaddr, options, **fields)]

    # ---- the kinds of hostility: each returns what is sent instead of the honest answer ----

    def mode_honest(self, request, relay):
        return self.honest(request, relay)

    def mode_garbage(self, request, relay):
        return [self.random.randbytes(self.random.choice((0, 1, 43, 236, 240, 300, 1400))) for _ in range(3)]

    def mode_truncated(self, request, relay):
        whole = self.honest(request, relay)[0]
        return [whole[:self.random.randrange(len(whole) - 1)] for _ in range(3)]

    def mode_options(self, request, relay):
        """Lengths past the end, overload into itself, options without end or without beginning."""
        good = self.honest(request, relay)[0]
        head, names = good[:240], b"\x34\x01\x03" * 64
        looping = self.honest(request, relay, {52: b"\x03"}, names=names)[0]
        return [good[:-1] + b"\x0c\xff", head + b"\x35\xff\x02", head + b"\0" * 1000, head + b"\x35\x00",
                good[:-1] + b"\x33\x03abc\xff", good[:-1] + b"\x36\xff" + b"x" * 100 + b"\xff", looping,
                good[:-1] + b"\x52\xff" * 200, head + b"\x35\x01\x02" * 300]

    def mode_wrong_xid(self, request, relay):
        return self.honest(request, relay, xid=bytes(b ^ 0x55 for b in request.xid))

    def mode_wrong_chaddr(self, request, relay):
        return self.honest(request, relay, chaddr=b"\x02\xbb" + request.chaddr[2:])

    def mode_other_giaddr(self, request, relay):
        return self.honest(request, relay, giaddr=socket.inet_aton("172.16.200.3"))

    def mode_zero_yiaddr(self, request, relay):
        return self.honest(request, relay, {51: packed(LEASE_S)}, yiaddr=0)

    def mode_multicast(self, request, relay):
        return self.honest(request, relay, yiaddr=number("224.1.2.3"))

    def mode_outside_block(self, request, relay):
        return self.honest(request, relay, yiaddr=number("10.20.0.0") + (relay.address_of(request.mac) & 0xFF))

    def mode_strange_server(self, request, relay):
        return self.honest(request, relay, server=number("192.168.1.99"))

    def mode_other_ack(self, request, relay):
        shift = 0x80 if request.type == REQUEST else 0
        return self.honest(request, relay, yiaddr=relay.address_of(request.mac) + shift)

    def mode_outside_ack(self, request, relay):
        inside = relay.address_of(request.mac)
        return self.honest(request, relay, yiaddr=inside + (0x100000 if request.type == REQUEST else 0))

    def mode_lease_zero(self, request, relay):
        return self.honest(request, relay, {51: packed(0)})

    def mode_lease_infinite(self, request, relay):
        return self.honest(request, relay, {51: packed(INFINITE), 58: packed(INFINITE), 59: packed(INFINITE)})

    def mode_lease_one(self, request, relay):
        return self.honest(request, relay, {51: packed(1)})

    def mode_timers(self, request, relay):
        return self.honest(request, relay, {58: packed(LEASE_S * 9), 59: packed(LEASE_S * 4)})

    def mode_nak_all(self, request, relay):
        if request.type == DISCOVER:
            return self.honest(request, relay)
        return [self.reply(request, NAK, 0)]

    def mode_nak_discover(self, request, relay):
        return [self.reply(request, NAK, 0)]

    def mode_ack_after_nak(self, request, relay):
        before = [self.reply(request, NAK, 0)] if request.type == REQUEST else []
        return before + self.honest(request, relay)

    def mode_nak_after_ack(self, request, relay):
        after = [self.reply(request, NAK, 0)] if request.type == REQUEST else []
        return self.honest(request, relay) + after

    def mode_repeat(self, request, relay):
        return self.honest(request, relay) * 20

    def mode_other_port(self, request, relay):
        return self.honest(request, relay)

    def mode_same_address(self, request, relay):
        return self.honest(request, relay, yiaddr=relay.base + 1)

    def mode_offers_only(self, request, relay):
        return self.honest(request, relay) if request.type == DISCOVER else []

    def mode_silent(self, request, relay):
        return []

    def mode_mixture(self, request, relay):
        """Half honest; the rest is any of the others, one after the other."""
        if self.random.random() < 0.5:
            return self.honest(request, relay)
        others = [name for name in dir(self) if name.startswith("mode_") and name not in (
            "mode_mixture", "mode_flood", "mode_same_address", "mode_outside_block", "mode_strange_server",
            "mode_outside_ack", "mode_multicast")]
        return getattr(self, self.random.choice(others))(request, relay)

    def mode_flood(self, request, relay):
        if not relay.flood_is_begun:
            relay.flood_is_begun = True
            threading.Thread(target=self.flood, args=(request, relay), daemon=True).start()
        return self.honest(request, relay)

    def flood(self, request, relay):
        """Unsolicited replies of all fates at FLOOD_PER_S, for FLOOD_S seconds."""
        kinds = [self.mode_wrong_xid, self.mode_wrong_chaddr, self.mode_garbage, self.mode_truncated,
                 self.mode_options, self.mode_other_giaddr]
        packets = [p for kind in kinds for p in kind(request, relay)]
        begun = time.monotonic()
        sent = 0
        while sent < FLOOD_PER_S * FLOOD_S:
            due = int((time.monotonic() - begun) * FLOOD_PER_S)
            while sent < min(due, FLOOD_PER_S * FLOOD_S):
                self.socket.sendto(packets[sent % len(packets)], (relay_of(request), 67 if sent & 1 else 68))
                sent += 1
            time.sleep(0.001)

    # ---- one request after the other ----

    def serve_one(self, data, source):
        if len(data) < 240:
            return
        request = Request(data, source)
        relay = self.relays.get(request.relay)
        if relay is None:
            return
        if request.type == RELEASE:
            relay.released += 1
        if self.kind_of_answer(request) is None:
            return
        mode = relay.mode if relay.is_hostile else "honest"
        sender = self.odd_socket if mode == "other_port" else self.socket
        for packet in getattr(self, "mode_" + mode)(request, relay):
            sender.sendto(packet, request.to)

    def serve(self):
        print("serving", flush=True)
        while True:
            select.select([self.socket], [], [])
            data, source = self.socket.recvfrom(4096)
            try:
                self.serve_one(data, source)
            except OSError as error:  # a port that has just closed
                print(error, flush=True)


def relay_of(request):
    return request.relay


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    relays = [word.split("=", 1) for word in sys.argv[2:]]
    for who, mode in relays:
        name = mode[5:] if mode.startswith("late-") else mode
        if not hasattr(Server, "mode_" + name):
            sys.exit(f"there is no mode '{mode}'")
    Server(sys.argv[1], relays).serve()


main()
