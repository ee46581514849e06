"""Independent random streams by name, so that one part of the broker can change without moving the others."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, *names: object) -> np.random.Generator:
    """The generator of this name under this seed; the same every time."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


def chosen(generator: np.random.Generator, count: int, probability: float) -> np.ndarray:
    """A mask over `count` rows, each true with the probability."""
    return generator.random(count) < probability


def picked(generator: np.random.Generator, pool: list | np.ndarray, count: int, weights=None) -> np.ndarray:
    """`count` values of the pool with replacement, as an array of objects or numbers."""
    values = np.asarray(pool) if not isinstance(pool, list) else np.array(pool, dtype=object)
    return values[generator.choice(len(values), count, p=weights)]
