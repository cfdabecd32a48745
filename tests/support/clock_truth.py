#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what a run says about time with captures, whose stamps are true.

clock_truth.py RUN START_AT_NS MONO_MINUS_REAL_NS PPM FROM_NS AGENT=PCAP...

START_AT_NS: run time 0 by the coordinator's clock, as its log says. That clock runs PPM fast since FROM_NS (host's
CLOCK_MONOTONIC). Prints `name value` lines: for each agent the largest error of an event's run time and what the
report says it can be, how late the first packet of the run was, and the median latencies of both views.
"""
import csv
import json
import subprocess
import sys

DISCOVER, ACK = "1", "5"
STAMPING_US = 100  # a capture's stamp and a socket's


class Axis:
    """Run time, in microseconds, of a capture's stamp."""

    def __init__(self, start_at_ns, mono_minus_real_ns, ppm, from_ns):
        self.start_at_ns, self.mono_minus_real_ns = start_at_ns, mono_minus_real_ns
        self.ppm, self.from_ns = ppm, from_ns

    def run_us(self, epoch):
        seconds, fraction = epoch.split(".")
        mono_ns = int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0")) + self.mono_minus_real_ns
        bent_ns = mono_ns + (mono_ns - self.from_ns) * self.ppm / 1e6
        return (bent_ns - self.start_at_ns) / 1000


def frames(pcap, axis):
    fields = ["frame.time_epoch", "dhcp.id", "dhcp.option.dhcp", "dhcp.hw.mac_addr"]
    command = ["tshark", "-n", "-r", pcap, "-Y", "dhcp.option.dhcp", "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        epoch, xid, kind, mac = line.split("\t")
        yield axis.run_us(epoch), int(xid, 0), kind, mac.lower()


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else float("nan")


def events_of(run):
    with open(f"{run}/events.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield row


def look_at(agent, pcap, axis, events):
    acks, first_discover, all_discovers = {}, {}, []
    for run_us, xid, kind, mac in frames(pcap, axis):
        if kind == ACK:
            acks.setdefault(xid, []).append(run_us)
        elif kind == DISCOVER and run_us > -200000:
            first_discover.setdefault(mac, run_us)
            all_discovers.append(run_us)
    errors, latencies = [], []
    for row in events:
        if row["agent"] != agent or row["result"] != "ack" or row["kind"] not in ("acquire", "renew"):
            continue
        run_us, xid = int(row["run_us"]), int(row["xid"], 0)
        if run_us < 0 or xid not in acks:
            continue
        wire_us = min(acks[xid], key=lambda at: abs(at - run_us))
        errors.append(run_us - wire_us)
        if row["kind"] == "acquire" and row["mac"].lower() in first_discover:
            latencies.append(wire_us - first_discover[row["mac"].lower()])
    return errors, latencies, min(all_discovers, default=float("nan"))


def main():
    if len(sys.argv) < 7:
        sys.exit(__doc__)
    run = sys.argv[1]
    axis = Axis(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
    with open(f"{run}/report.json") as file:
        report = json.load(file)
    events = list(events_of(run))
    latencies = []
    for argument in sys.argv[6:]:
        agent, pcap = argument.split("=", 1)
        said = next(a for a in report["agents"] if a["name"] == agent)
        errors, waits, first_us = look_at(agent, pcap, axis, events)
        latencies += waits
        print(f"{agent}.events {len(errors)}")
        print(f"{agent}.error_us {max(map(abs, errors), default=float('nan')):.0f}")
        allowed_us = said["clock_uncertainty_us"] + STAMPING_US
        print(f"{agent}.outside {sum(abs(e) > allowed_us for e in errors)}")
        print(f"{agent}.replaced {said['rx_stamps_replaced']}")
        print(f"{agent}.error_begin_us {median(errors[:200]):.0f}")
        print(f"{agent}.error_end_us {median(errors[-200:]):.0f}")
        print(f"{agent}.uncertainty_us {said['clock_uncertainty_us']}")
        print(f"{agent}.rate_ppm {said['clock_rate_ppm']}")
        print(f"{agent}.first_us {first_us:.0f}")
        print(f"{agent}.lateness_us {said['start_lateness_us']}")
    print(f"wire.acquire_p50_us {median(latencies):.0f}")


if __name__ == "__main__":
    main()
