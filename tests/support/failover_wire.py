#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a failover looked like on the agents' wires, computed from captures alone.

usage: failover_wire.py PREFLIGHT-RELEASES LEASE-S SERVER-ID... -- CAPTURE...

Prints one JSON object: per half (the server that granted a client's latest lease) how long its
clients waited from their first unanswered RENEW to the next ACK, who answered, what expired; and
the lease times of all answers, by second. Knows nothing of the report it is compared with.
"""
import json
import subprocess
import sys

FIELDS = ["frame.time_epoch", "ip.src", "dhcp.option.dhcp", "dhcp.id", "dhcp.hw.mac_addr", "dhcp.ip.client",
          "dhcp.ip.relay", "dhcp.option.dhcp_server_id", "dhcp.option.ip_address_lease_time"]
REQUEST, ACK, RELEASE = 3, 5, 7
ZERO = "0.0.0.0"


def packets(captures):
    rows = []
    for path in captures:
        command = ["tshark", "-n", "-r", path, "-Y", "dhcp", "-T", "fields"]
        for field in FIELDS:
            command += ["-e", field]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            time, src, kind, xid, mac, ciaddr, giaddr, server, lease = line.split("\t")[:9]
            rows.append((float(time), src.split(",")[0], int(kind), xid, mac, ciaddr, giaddr, server, int(lease or 0)))
    rows.sort()
    return rows


class Client:
    def __init__(self):
        self.half = None  # server of the latest ACK
        self.asked = {}  # xid: first transmission of its (latest) REQUEST
        self.answered = set()
        self.renewing_since = None  # first RENEW without an answer
        self.expiry = None


def median(values):
    return sorted(values)[(len(values) - 1) // 2] if values else None


def main():
    split = sys.argv.index("--")
    releases_left, lease_s, servers = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:split]
    clients, halves, leases = {}, {s: {"waits": [], "by": {}, "expired": 0, "outage_s": 0.0} for s in servers}, {}
    acks, rebinds, begin = 0, 0, None
    for time, src, kind, xid, mac, ciaddr, giaddr, server, lease in packets(sys.argv[split + 1:]):
        if releases_left > 0:  # preflight ends with a RELEASE of each of its clients
            releases_left -= kind == RELEASE
            continue
        begin = begin or time
        c = clients.setdefault(mac, Client())
        if kind == REQUEST:
            is_renewal = ciaddr != ZERO
            if xid not in c.asked:
                c.asked[xid] = time
                rebinds += is_renewal and giaddr != ZERO
            if is_renewal and giaddr == ZERO and c.renewing_since is None:
                c.renewing_since = time
        elif kind == ACK and xid in c.asked and xid not in c.answered:
            c.answered.add(xid)
            acks += 1
            by_lease = leases.setdefault(lease, {"acks": 0, "first_s": time - begin, "last_s": 0, "by": {}})
            by_lease["acks"] += 1
            by_lease["last_s"] = time - begin
            by_lease["by"][server] = by_lease["by"].get(server, 0) + 1
            half = halves.get(c.half)
            if half is not None and c.expiry is not None and time > c.expiry:
                half["expired"] += 1
                half["outage_s"] += time - c.expiry
            # A renewal answered at its first try was never unanswered.
            if half is not None and c.renewing_since is not None and c.renewing_since != c.asked[xid]:
                half["waits"].append(time - c.renewing_since)
                half["by"][server] = half["by"].get(server, 0) + 1
            c.half, c.renewing_since = server, None
            c.expiry = c.asked[xid] + lease
        elif kind == RELEASE:
            c.expiry = c.renewing_since = None
    out = {"acks": acks, "rebinds": rebinds, "clients": len(clients), "halves": {}, "leases": leases,
           "short_acks": sum(v["acks"] for k, v in leases.items() if k < lease_s - 1)}
    for server, half in halves.items():
        waits = half.pop("waits")
        out["halves"][server] = dict(half, waited=len(waits), first_answer_s=min(waits, default=None),
                                     median_answer_s=median(waits), last_answer_s=max(waits, default=None))
    json.dump(out, sys.stdout)


main()
