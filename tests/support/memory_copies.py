#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How often a process holds a secret key: memory_copies.py PID KEY-FILE prints "BINARY TEXT".

Text is the Z85 of the key file, binary the 32 bytes it stands for. Needs root, or the right to trace the process.
"""
import re
import sys

DIGITS = ("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
          ".-:+=^!/*?&<>()[]{}@%$#")
WINDOW = 1 << 24


def decode(text):
    out = b""
    for at in range(0, len(text), 5):
        value = 0
        for digit in text[at:at + 5]:
            value = value * 85 + DIGITS.index(digit)
        out += value.to_bytes(4, "big")
    return out


def count(pid, needles):
    found = [0] * len(needles)
    overlap = max(len(n) for n in needles) - 1
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            at, end = int(start, 16), int(end, 16)
            if "r" not in mode or end - at > 1 << 32 or "[v" in line:
                continue
            tail = b""
            while at < end:
                try:
                    memory.seek(at)
                    piece = memory.read(min(WINDOW, end - at))
                except OSError:
                    break
                if not piece:
                    break
                data = tail + piece
                for i, needle in enumerate(needles):
                    found[i] += data.count(needle)
                tail = data[-overlap:]
                at += len(piece)
    return found


def main():
    with open(sys.argv[2]) as file:
        text = re.search(r"^secret (\S+)$", file.read(), re.M).group(1)
    print(*count(int(sys.argv[1]), [decode(text), text.encode()]))


main()
