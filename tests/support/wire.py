#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every field of RFC 2131 table 5 (and of the relay's part, RFC 1542 4.1.1), asked of each client message in a capture.

usage: wire.py CAPTURE GIADDR VIA INTENT[=COUNT]...
Prints a line per intent; exits 1 when a packet breaks a rule, or an intent that was named does not occur.
"""
import subprocess
import sys

FIELDS = ["frame.number", "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "dhcp.type", "dhcp.hw.type", "dhcp.hw.len",
          "dhcp.hops", "dhcp.id", "dhcp.secs", "dhcp.flags", "dhcp.ip.client", "dhcp.ip.your", "dhcp.ip.server",
          "dhcp.ip.relay", "dhcp.hw.mac_addr", "dhcp.option.dhcp", "dhcp.option.requested_ip_address",
          "dhcp.option.dhcp_server_id", "dhcp.option.type", "dhcp.option.vendor_class_id", "dhcp.server", "dhcp.file",
          "udp.length"]
ZERO = "0.0.0.0"
DISCOVER, REQUEST, DECLINE, RELEASE, INFORM = 1, 3, 4, 7, 8

# intent: (message type, ciaddr set, option 50, option 54, option 55 allowed, option 60 allowed, forwarded by the relay)
RULES = {
    "discover": (DISCOVER, False, False, False, True, True, True),
    "request": (REQUEST, False, True, True, True, True, True),
    "reboot": (REQUEST, False, True, False, True, True, True),
    "renew": (REQUEST, True, False, False, True, True, False),
    "rebind": (REQUEST, True, False, False, True, True, True),
    "decline": (DECLINE, False, True, True, False, False, True),
    "release": (RELEASE, True, False, True, False, False, False),
    "inform": (INFORM, True, False, False, True, True, False),
    "stranger": (DISCOVER, False, False, False, True, False, True),
}
# Preflight's client without the run's marks (RFC 7042 2.1.2: a range nobody has).
STRANGER = "00:00:5e:00:53:"


def packets(capture):
    command = ["tshark", "-n", "-r", capture, "-Y", "udp.dstport == 67 && dhcp.type == 1", "-T", "fields"]
    for field in FIELDS:
        command += ["-e", field]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        yield dict(zip(FIELDS, line.split("\t")))


def intent_of(p):
    kind = int(p["dhcp.option.dhcp"])
    if kind == DISCOVER and p["dhcp.hw.mac_addr"].startswith(STRANGER):
        return "stranger"
    if kind != REQUEST:
        return {DISCOVER: "discover", DECLINE: "decline", RELEASE: "release", INFORM: "inform"}[kind]
    if p["dhcp.option.dhcp_server_id"]:
        return "request"
    if p["dhcp.ip.client"] == ZERO:
        return "reboot"
    # On the path `relayed` a RENEW carries giaddr, too; no capture of that path is judged here.
    return "renew" if p["dhcp.ip.relay"] == ZERO else "rebind"


def faults(p, intent, giaddr, via):
    kind, has_ciaddr, has_50, has_54, may_55, may_60, is_forwarded = RULES[intent]
    options = [int(x) for x in p["dhcp.option.type"].split(",") if x]
    rules = {
        "htype 1, hlen 6": (p["dhcp.hw.type"], int(p["dhcp.hw.len"], 0)) in (("0x01", 6), ("0x00000001", 6), ("1", 6)),
        "message type": int(p["dhcp.option.dhcp"]) == kind,
        "ciaddr": (p["dhcp.ip.client"] != ZERO) == has_ciaddr,
        "yiaddr 0": p["dhcp.ip.your"] == ZERO,
        "siaddr 0": p["dhcp.ip.server"] == ZERO,
        "giaddr": p["dhcp.ip.relay"] == (giaddr if is_forwarded else ZERO),
        "hops": int(p["dhcp.hops"]) == (1 if is_forwarded else 0),
        "source address": p["ip.src"] == via or (not is_forwarded and p["ip.src"] == p["dhcp.ip.client"]),
        "source port": int(p["udp.srcport"]) == (67 if is_forwarded else 68),
        "destination is a server": p["ip.dst"] in ("192.168.1.12", "192.168.2.12"),
        "flags 0": int(p["dhcp.flags"], 0) == 0,
        "chaddr locally administered, unicast": intent == "stranger" or int(p["dhcp.hw.mac_addr"][:2], 16) & 3 == 2,
        "xid not 0": int(p["dhcp.id"], 0) != 0,
        "option 50": bool(p["dhcp.option.requested_ip_address"]) == has_50,
        "option 54": bool(p["dhcp.option.dhcp_server_id"]) == has_54,
        "option 51 absent": 51 not in options,
        "option 55": (55 in options) == may_55,
        "option 57 or 12 not by themselves": 12 not in options,
        "option 60": (60 in options) == may_60,
        "option 60 marks the run": not may_60 or p["dhcp.option.vendor_class_id"].startswith("leaseherd/"),
        "option 56 only in DECLINE and RELEASE": 56 not in options or intent in ("decline", "release"),
        "option 82 only from the relay": 82 not in options or is_forwarded,
        "option 82 last": 82 not in options or options.index(82) >= len(options) - 2,
        "one of each option": len(set(options)) == len(options),
        "at least 300 bytes": int(p["udp.length"]) - 8 >= 300,
    }
    return [name for name, holds in rules.items() if not holds]


def sequence_faults(seen):
    """Rules over several packets of one exchange: xid kept, REQUEST repeats its DISCOVER's secs."""
    found = []
    secs = {}
    for p, intent in seen:
        key = (p["dhcp.hw.mac_addr"], p["dhcp.id"])
        if intent == "discover":
            secs[key] = p["dhcp.secs"]
        elif intent == "request":
            if key not in secs:
                found.append((p, "REQUEST with another xid than its DISCOVER"))
            elif secs[key] != p["dhcp.secs"]:
                found.append((p, "REQUEST with other secs than its DISCOVER"))
    return found


def main():
    capture, giaddr, via = sys.argv[1:4]
    wanted = dict((a.split("=") + ["1"])[:2] for a in sys.argv[4:])
    seen, bad, count = [], {}, {}
    for p in packets(capture):
        intent = intent_of(p)
        seen.append((p, intent))
        count[intent] = count.get(intent, 0) + 1
        for name in faults(p, intent, giaddr, via):
            bad.setdefault((intent, name), p["frame.number"])
    failed = False
    for (intent, name), frame in bad.items():
        print(f"{intent}: rule broken: {name} (first in frame {frame})")
        failed = True
    for p, what in sequence_faults(seen)[:3]:
        print(f"{what} (frame {p['frame.number']})")
        failed = True
    for intent, least in wanted.items():
        got = count.get(intent, 0)
        print(f"{intent}: {got} packets" + ("" if got >= int(least) else f", wanted at least {least}"))
        failed = failed or got < int(least)
    sys.exit(1 if failed else 0)


main()
