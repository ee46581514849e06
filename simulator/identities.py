"""Documents of invented people and firms, with the check digits their kind prescribes."""

from __future__ import annotations

import numpy as np

RESIDENT_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
RESIDENT_CHECKS = np.array(list("10X98765432"), dtype=object)
CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_CODE_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

_AREAS = (
    "110101 110105 120103 130102 140105 210102 220104 230103 310104 310115 320102 320505 330106 330203 340104 350203 "
    "360102 370102 370203 410105 420106 430102 440106 440305 450103 460105 500103 510104 520103 530102 610113 620102 "
    "630104 640104 650102 150102"
)
AREA_CODES = np.array(_AREAS.split(), dtype=object)
FIRST_BIRTH, LAST_BIRTH = np.datetime64("1946-01-01"), np.datetime64("2004-12-31")
BIRTH_DAYS = int((LAST_BIRTH - FIRST_BIRTH).astype(int)) + 1
SEQUENCES = 899
RESIDENTS = len(AREA_CODES) * BIRTH_DAYS * SEQUENCES
# A prime that shares no factor with RESIDENTS: stepping by it visits every number once.
RESIDENT_STEP = 104_395_301


def resident_check_digits(bodies: np.ndarray) -> np.ndarray:
    """Check characters of 17-digit bodies."""
    digits = np.array(bodies.tolist(), dtype="S17").view(np.uint8).reshape(len(bodies), 17) - ord("0")
    return RESIDENT_CHECKS[(digits.astype(np.int64) * RESIDENT_WEIGHTS).sum(axis=1) % 11]


def resident_numbers(first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` different resident IDs (18 characters) and the birth dates in them; `first` counts those given before."""
    positions = (np.arange(first + 1, first + count + 1, dtype=np.int64) * RESIDENT_STEP) % RESIDENTS
    areas = AREA_CODES[positions % len(AREA_CODES)]
    births = FIRST_BIRTH + (positions // len(AREA_CODES) % BIRTH_DAYS)
    sequences = positions // (len(AREA_CODES) * BIRTH_DAYS) + 100
    compact = np.char.replace(births.astype(str), "-", "")
    bodies = np.empty(count, dtype=object)
    rows = zip(areas, compact.tolist(), sequences.tolist(), strict=True)
    bodies[:] = [f"{area}{birth}{number:03d}" for area, birth, number in rows]
    return (bodies + resident_check_digits(bodies) if count else bodies), births


def old_form(resident_number: str) -> str:
    """The 15-digit form of an ID of somebody born before 2000."""
    return resident_number[:6] + resident_number[8:17]


def with_wrong_check_digit(number: str) -> str:
    """The number with a last character that is not its check digit."""
    return number[:-1] + ("0" if number[-1] != "0" else "1")


def social_credit_code(index: int) -> str:
    """The unified social credit code of the `index`-th invented firm."""
    area = AREA_CODES[index % len(AREA_CODES)]
    digits = f"{index * 7919 % 100_000_000:08d}"
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, ORGANISATION_WEIGHTS, strict=True)) % 11
    body = f"91{area}{digits}{'X' if remainder == 1 else (11 - remainder) % 11}"
    total = sum(
        CREDIT_CODE_ALPHABET.index(character) * weight
        for character, weight in zip(body, CREDIT_CODE_WEIGHTS, strict=True)
    )
    return body + CREDIT_CODE_ALPHABET[(31 - total % 31) % 31]


def product_filing_code(index: int) -> str:
    """A filing code such as SAB123."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    high, low = divmod(index, 1000)
    return f"S{letters[high // 24 % 24]}{letters[high % 24]}{low:03d}"


def foreign_document(kind: str, index: int) -> str:
    """Passport, Hong Kong and Macau permit, Taiwan permit or permanent card of the `index`-th foreign client."""
    number = index * 104_729 % 100_000_000
    return {
        "passport": f"P{number:08d}",
        "hk_macau_permit": f"H{number:08d}",
        "taiwan_permit": f"{number:08d}",
        "foreign_permanent_card": f"USA{3100:04d}{number:08d}",
        "other": f"Q{number:09d}",
    }[kind]
