"""Random draws with identical results on every machine: integers wherever the result is written or compared."""

from collections.abc import Sequence

import numpy as np

THOUSAND = 1000


def generator(seed: int, part: int) -> np.random.Generator:
    """A separate random generator per part of the shop, so that a change to one part leaves the others unchanged."""
    return np.random.Generator(np.random.PCG64([seed, part]))


def pick(rng: np.random.Generator, weights: Sequence[int] | np.ndarray, size: int) -> np.ndarray:
    """Random positions in ``weights`` (int64), with probability proportional to the weight."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.int64))
    return np.searchsorted(bounds, rng.integers(0, bounds[-1], size), side="right")


def one_of(rng: np.random.Generator, weighted: Sequence[tuple[object, int]], size: int) -> np.ndarray:
    """Values (object) drawn from pairs of a value and its weight."""
    values = np.array([value for value, _ in weighted], dtype=object)
    return values[pick(rng, [weight for _, weight in weighted], size)]


def chance(rng: np.random.Generator, permille: int | np.ndarray, size: int) -> np.ndarray:
    """True (bool) in ``permille`` of a thousand cases."""
    return rng.integers(0, THOUSAND, size) < permille


def long_tailed(rng: np.random.Generator, median: float, sigma: float, size: int) -> np.ndarray:
    """Whole numbers (int64) of a log-normal distribution.

    exp() may differ in its last digit between machines; rounded to integers far below 2**53, it does not.
    """
    return np.rint(median * np.exp(sigma * rng.standard_normal(size))).astype(np.int64)


def bell(rng: np.random.Generator, sd: int, size: int) -> np.ndarray:
    """Whole numbers (int64) around 0, approximately normal: the sum of six uniform ones, so within 4.2 sd."""
    half_width = int(sd * 0.7071)  # the sum of six uniform numbers from -h to h has the deviation h * sqrt(2)
    return rng.integers(-half_width, half_width + 1, (size, 6)).sum(axis=1)


def uuids(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random UUIDs of version 4 as text (object)."""
    octets = rng.integers(0, 256, (size, 16), dtype=np.uint8)
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    digits = octets.tobytes().hex()
    texts = (digits[start : start + 32] for start in range(0, 32 * size, 32))
    return np.array([f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts], dtype=object)
