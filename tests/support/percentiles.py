#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""percentiles.py UNFINISHED < SAMPLES: percentiles and their 95 % intervals, calculated another way.

Samples are whole nanoseconds, one a line; UNFINISHED of them never ended and count as infinite. Prints, for 50, 90,
99 and 99.9 percent: RANK_LOW RANK_HIGH EXACT LOW HIGH, where "inf" is infinite and "-" marks a percentile with
fewer than 10/(1-p) samples. Everything is exact: whole numbers only, the binomial distribution by its definition.
"""
import math
import sys
from fractions import Fraction

PERCENTS = (Fraction(50), Fraction(90), Fraction(99), Fraction(999, 10))
TAIL = Fraction(25, 1000)


def ranks(n, p):
    """Largest low with P(B < low) <= 2.5 %, smallest high with P(B >= high) <= 2.5 %, B binomial (n, p)."""
    up, down, scale = p.numerator, p.denominator - p.numerator, p.denominator**n
    limit = TAIL * scale
    weights = [down**n]  # of 0, 1, 2 ...: comb(n, k) p^k (1-p)^(n-k) times scale; the division leaves no rest
    for k in range(n):
        weights.append(weights[k] * (n - k) * up // ((k + 1) * down))
    assert sum(weights) == scale and weights[n // 2] == math.comb(n, n // 2) * up ** (n // 2) * down ** (n - n // 2)
    low, below = 0, 0
    while below + weights[low] <= limit:
        below += weights[low]
        low += 1
    high, above = n + 1, 0
    while above + weights[high - 1] <= limit:
        above += weights[high - 1]
        high -= 1
    return low, high


def main():
    unfinished = int(sys.argv[1])
    samples = sorted(int(line) for line in sys.stdin)
    n = len(samples) + unfinished

    def at(rank):
        if rank < 1:
            return 0
        return samples[rank - 1] if rank <= len(samples) else "inf"

    for percent in PERCENTS:
        p = percent / 100
        if n < 10 / (1 - p):
            print("-")
            continue
        low, high = ranks(n, p)
        print(low, high, at(math.ceil(p * n)), at(low), at(high))


main()
