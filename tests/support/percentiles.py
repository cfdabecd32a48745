#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""percentiles.py < CASES: percentiles and their 95 % intervals, calculated another way.

A case is a line "case UNFINISHED" and the samples behind it, whole nanoseconds, one a line; UNFINISHED more never ended
and count as infinite. Prints for each case, for 50, 90, 99 and 99.9 percent: RANK_LOW RANK_HIGH EXACT LOW HIGH, where "inf" is infinite and "-" marks a percentile with
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
    # weight: comb(n, k) p^k (1-p)^(n-k) times scale. From n downwards, as the percentiles are in the upper half.
    k, weight, above, high = n, up**n, up**n, n + 1
    while scale - above > limit:  # above: P(B >= k) times scale
        if above <= limit:
            high = k
        weight = weight * k * down // ((n - k + 1) * up)  # the division leaves no rest
        k -= 1
        above += weight
    assert weight == math.comb(n, k) * up**k * down ** (n - k)
    return k, high


def tell(unfinished, samples):
    samples.sort()
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


def main():
    for case in sys.stdin.read().split("case ")[1:]:
        unfinished, *samples = map(int, case.split())
        tell(unfinished, samples)


main()
