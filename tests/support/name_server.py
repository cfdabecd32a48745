#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A DNS server that knows one name: name_server.py LISTEN NAME ADDRESS. For tests of hosts that have only DNS."""
import socket
import struct
import sys


def question(packet):
    """The name asked for, its type, and where the question ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii", "replace"))
        at += 1 + packet[at]
    (kind,) = struct.unpack_from(">H", packet, at + 1)
    return ".".join(labels).lower(), kind, at + 5


def answer(packet, name, address):
    asked, kind, end = question(packet)
    known = asked == name
    records = b""
    if known and kind == 1:
        records = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
    flags = 0x8580 if known else 0x8583  # NXDOMAIN
    return packet[:2] + struct.pack(">HHHHH", flags, 1, 1 if records else 0, 0, 0) + packet[12:end] + records


def main():
    listen, name, address = sys.argv[1:4]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((listen, 53))
    while True:
        packet, sender = server.recvfrom(4096)
        if len(packet) > 16:
            server.sendto(answer(packet, name, address), sender)


main()
