"""What happens to a file on its way: each damage takes the bytes of a whole file and returns other bytes.

No damage knows what a file means beyond its format; whoever plants one decides what the manifest says afterwards. The same
generator in the same state gives the same damage.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]

TWO_BYTES = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")


def empty_file(content: bytes, generator: np.random.Generator) -> bytes:
    """The file has arrived with no byte in it."""
    return b""


def truncated_file(content: bytes, generator: np.random.Generator) -> bytes:
    """The file ends somewhere."""
    return content[: _place(content, generator)]


def garbage_appended(content: bytes, generator: np.random.Generator) -> bytes:
    """Random bytes follow the end of the file."""
    return content + generator.bytes(int(generator.integers(1, 200)))


def nul_bytes(content: bytes, generator: np.random.Generator) -> bytes:
    """A stretch of the file is zeros, as a crashed disk leaves it."""
    place, width = _place(content, generator), int(generator.integers(1, 64))
    return content[:place] + bytes(len(content[place : place + width])) + content[place + width :]


def flipped_bytes(content: bytes, generator: np.random.Generator) -> bytes:
    """Some bytes have other bits than were sent."""
    return _flipped(content, generator, 0, len(content))


def flipped_head(content: bytes, generator: np.random.Generator) -> bytes:
    """Some of the first bytes, where the formats describe themselves, have other bits."""
    return _flipped(content, generator, 0, 256)


def flipped_tail(content: bytes, generator: np.random.Generator) -> bytes:
    """Some of the last bytes, where trailers and footers are, have other bits."""
    return _flipped(content, generator, len(content) - 512, len(content))


def flipped_bit(content: bytes, generator: np.random.Generator) -> bytes:
    """One bit of the first bytes is another: a letter becomes another letter, or another case."""
    place = int(generator.integers(0, min(256, len(content))))
    return content[:place] + bytes([content[place] ^ 1 << int(generator.integers(8))]) + content[place + 1 :]


def byte_lost(content: bytes, generator: np.random.Generator) -> bytes:
    """One byte is missing: everything behind it stands one place too early."""
    place = _place(content, generator)
    return content[:place] + content[place + 1 :]


def byte_doubled(content: bytes, generator: np.random.Generator) -> bytes:
    """One byte stands twice: everything behind it stands one place too late."""
    place = _place(content, generator)
    return content[: place + 1] + content[place:]


def broken_character(content: bytes, generator: np.random.Generator) -> bytes:
    """A Chinese character has a second byte that no character has; a file without one gets half a character somewhere."""
    places = [found.start() + 1 for found in TWO_BYTES.finditer(content)] or [_place(content, generator)]
    place = places[int(generator.integers(len(places)))]
    return content[:place] + b"\xff" + content[place + 1 :]


def line_lost(content: bytes, generator: np.random.Generator) -> bytes:
    """One line is missing."""
    lines = content.splitlines(keepends=True)
    del lines[int(generator.integers(len(lines)))]
    return b"".join(lines)


def line_doubled(content: bytes, generator: np.random.Generator) -> bytes:
    """One line stands twice."""
    lines = content.splitlines(keepends=True)
    place = int(generator.integers(len(lines)))
    return b"".join(lines[: place + 1] + lines[place:])


def windows_lines(content: bytes, generator: np.random.Generator) -> bytes:
    """A transfer in text mode has changed the ends of the lines."""
    return content.replace(b"\r\n", b"\n") if b"\r\n" in content else content.replace(b"\n", b"\r\n")


def wrong_count(content: bytes, generator: np.random.Generator) -> bytes:
    """A number in the file, often the one that counts its records, is another one."""
    numbers = list(re.finditer(rb"\d+", content))
    found = numbers[-1 if generator.random() < 0.5 else int(generator.integers(len(numbers)))]
    changed = str(int(found[0]) + 1).encode().rjust(len(found[0]), b"0")
    return content[: found.start()] + changed + content[found.end() :]


def delimiter_in_field(content: bytes, generator: np.random.Generator) -> bytes:
    """A field holds the sign that separates fields."""
    place = _place(content, generator)
    return content[:place] + b"|" + content[place:]


def swapped_fields(content: bytes, generator: np.random.Generator) -> bytes:
    """Two fields of one line have changed places."""
    lines = content.split(b"\n")
    place = int(generator.integers(len(lines)))
    fields = lines[place].split(b"|")
    one = int(generator.integers(len(fields)))
    others = [at for at, field in enumerate(fields) if field != fields[one]] or [one]
    other = others[int(generator.integers(len(others)))]
    fields[one], fields[other] = fields[other], fields[one]
    lines[place] = b"|".join(fields)
    return b"\n".join(lines)


def delete_flags(content: bytes, generator: np.random.Generator) -> bytes:
    """Records of a DBF are marked as deleted, or as nothing that exists."""
    changed = bytearray(content)
    header_length, record_length = (int.from_bytes(content[at : at + 2], "little") for at in (8, 10))
    for start in range(header_length, len(content) - 1, record_length):
        if generator.random() < 0.2:
            changed[start] = b"* **X"[int(generator.integers(5))]
    return bytes(changed)


ANY_FILE: tuple[Damage, ...] = (
    empty_file, truncated_file, garbage_appended, nul_bytes, flipped_bytes, flipped_head, flipped_tail, flipped_bit, byte_lost,
    byte_doubled, broken_character,
)  # fmt: skip
ANY_TEXT: tuple[Damage, ...] = (line_lost, line_doubled, windows_lines, wrong_count)
DAMAGES: dict[str, tuple[Damage, ...]] = {
    "delimited": (*ANY_FILE, *ANY_TEXT, delimiter_in_field, swapped_fields),
    "ofd": (*ANY_FILE, *ANY_TEXT),
    "dbf": (*ANY_FILE, delete_flags),
    "parquet": ANY_FILE,
}


def _place(content: bytes, generator: np.random.Generator) -> int:
    return int(generator.integers(len(content)))


def _flipped(content: bytes, generator: np.random.Generator, first: int, last: int) -> bytes:
    changed = bytearray(content)
    for _ in range(int(generator.integers(1, 8))):
        place = int(generator.integers(max(0, first), min(last, len(content))))
        changed[place] ^= int(generator.integers(1, 256))
    return bytes(changed)
