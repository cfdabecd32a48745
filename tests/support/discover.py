#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one client is offered: sends a relayed DISCOVER and prints the address of the first OFFER, or "none".

usage: discover.py GIADDR MAC SERVER... [--vendor TEXT]; run it on the host that has GIADDR
"""
import argparse
import os
import socket
import struct
import time

SECONDS, COOKIE, OFFER = 4, b"\x63\x82\x53\x63", b"\x35\x01\x02"


def discover(giaddr, mac, xid, vendor, secs):
    options = b"\x35\x01\x01" + b"\x37\x03\x01\x03\x33"
    if vendor:
        options += bytes([60, len(vendor)]) + vendor
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 1, xid, secs, 0, bytes(4), bytes(4), bytes(4),
                       socket.inet_aton(giaddr))
    return (head + mac + bytes(10) + bytes(192) + COOKIE + options + b"\xff").ljust(300, b"\0")


def first_offer(s, xid, deadline):
    while (left := deadline - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            packet = s.recv(2048)
        except TimeoutError:
            break
        if len(packet) > 243 and struct.unpack("!I", packet[4:8])[0] == xid and OFFER in packet[240:]:
            return socket.inet_ntoa(packet[16:20])
    return None


def main():
    p = argparse.ArgumentParser()
    p.add_argument("giaddr")
    p.add_argument("mac")
    p.add_argument("server", nargs="+")
    p.add_argument("--vendor", default="")
    a = p.parse_args()
    mac, xid = bytes.fromhex(a.mac.replace(":", "")), int.from_bytes(os.urandom(4), "big")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((a.giaddr, 67))
        # Again with secs past a failover pair's load balancing: either may answer then.
        for secs in (0, 5, 12):
            for server in a.server:
                s.sendto(discover(a.giaddr, mac, xid, a.vendor.encode(), secs), (server, 67))
            offered = first_offer(s, xid, time.monotonic() + SECONDS / 3)
            if offered:
                print(offered)
                return
    print("none")


main()
