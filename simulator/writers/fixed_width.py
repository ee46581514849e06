"""Records of one width, built as a byte matrix a column at a time."""

from __future__ import annotations

import numpy as np

SPACE, ZERO = 0x20, 0x30


def left_aligned(texts: np.ndarray, width: int, encoding: str) -> np.ndarray:
    """(rows, width) bytes, filled with spaces on the right."""
    encoded = [text.encode(encoding) for text in texts.tolist()]
    _check_widths(encoded, width)
    cells = np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(len(encoded), width)
    return np.where(cells == 0, np.uint8(SPACE), cells)


def right_aligned(texts: np.ndarray, width: int, fill: str) -> np.ndarray:
    """(rows, width) bytes of digits, filled on the left with `fill`."""
    encoded = [text.rjust(width, fill).encode("ascii") for text in texts.tolist()]
    _check_widths(encoded, width)
    return np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(len(encoded), width)


def constant(rows: int, content: bytes) -> np.ndarray:
    return np.tile(np.frombuffer(content, dtype=np.uint8), (rows, 1))


def records(cells: list[np.ndarray]) -> bytes:
    """Rows of all cells side by side."""
    return np.hstack(cells).tobytes()


def _check_widths(encoded: list[bytes], width: int) -> None:
    if encoded and max(map(len, encoded)) > width:
        raise ValueError(f"a value needs more than {width} bytes")
