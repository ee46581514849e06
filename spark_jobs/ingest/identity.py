"""One spelling for every identity number, phone and name, and what may be known from it without keeping it.

Pure functions: the same input gives the same output on any day, and no input raises. Customers write the same number in
many ways (full-width digits, old 15-digit cards, +86); a token is only useful if all of them become one value.
A change of any rule here changes tokens: it needs a new RULE_VERSION and a migration through a token map.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import phonenumbers
from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError

RULE_VERSION = 1

IDENTITY_KINDS = (
    "resident_id",
    "passport",
    "hk_macau_permit",
    "taiwan_permit",
    "foreign_permanent_card",
    "unified_social_credit_code",
    "product_filing",
    "other",
)

# Zero-width and direction marks arrive with numbers pasted from address books; NUL pads fixed-width files.
INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500"), "-")
DOTS = dict.fromkeys(map(ord, "\u0387\u2022\u2024\u2027\u2219\u22c5\u25cf\u2e31\u2e33\u30fb\uff65"), "\u00b7")
HAN = "[\u3400-\u9fff\ue000-\uf8ff\U00020000-\U0003ffff]"  # private use: rare characters that had no code point yet
FULL_STOP_IN_NAME = re.compile(rf"(?<={HAN})\.(?={HAN})")
DOT_WITH_SPACE = re.compile("\\s*\u00b7[\\s\u00b7]*")

RESIDENT_15 = re.compile(r"[0-9]{15}")
RESIDENT_18 = re.compile(r"[0-9]{6}(?:18|19|20)[0-9]{9}[0-9X]")
# GB 32100 lets letters stand for the registering authority and the entity type; stdnum's own validate does not.
CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")

PUNCTUATION = re.compile(r"[-().]")
MOBILE = re.compile(r"0?(1[3-9][0-9]{9})")
LANDLINE = re.compile(r"0((?:10|2[0-9])[2-9][0-9]{7}|[3-9][0-9]{2}[2-9][0-9]{6,7})")
LANDLINE_AFTER_86 = re.compile(r"0?((?:10|2[0-9])[2-9][0-9]{7}|[3-9][0-9]{2}[2-9][0-9]{6,7})")
SERVICE_NUMBER = re.compile(r"[48]00[0-9]{7}")
LANDLINE_WITHOUT_AREA = re.compile(r"[2-8][0-9]{6,7}")
COUNTRY_CODE_86 = re.compile(r"(?:\+|00)?86([0-9]+)")
INTERNATIONAL = re.compile(r"(?:\+|00)([1-9][0-9]{5,14})")
EXTENSION = re.compile(r"(.+?)(?:-|转|#|\*|EXT\.?)([0-9]{1,6})")


@dataclass(frozen=True)
class Identity:
    """canonical is null for an empty value; birth_date and gender only come from a resident number that checks.

    check: valid, invalid, not_checked (a kind without a rule), unknown_area (right digits, area not in the list).
    """

    canonical: str | None
    check: str
    birth_date: date | None
    gender: str | None
    masked: str | None


@dataclass(frozen=True)
class Phone:
    """kind: mobile, landline, foreign or invalid; an invalid number keeps its cleaned text as canonical."""

    canonical: str | None
    kind: str
    masked: str | None


@dataclass(frozen=True)
class Name:
    """A person's or an institution's name."""

    canonical: str | None
    masked: str | None


def canonical_identity(kind: str, value: str | None, as_of: date) -> Identity:
    """Canonical form, check result and derivations of one identity number.

    kind is one of IDENTITY_KINDS, anything else counts as other. A birth date after as_of, a business date, is invalid.
    """
    text = _compact(value)
    if not text:
        return Identity(None, "not_checked", None, None, None)
    check, birth_date, gender = "not_checked", None, None
    if kind == "resident_id":
        text = _widened(text)
        check, birth_date, gender = _resident_facts(text, as_of)
    elif kind == "unified_social_credit_code":
        is_valid = CREDIT_CODE.fullmatch(text) and uscc.calc_check_digit(text) == text[-1]
        check = "valid" if is_valid else "invalid"
    # a short wrong value would stand in the clear if three characters were always shown
    shown = min(3, len(text) // 2)
    return Identity(text, check, birth_date, gender, text[:shown] + "*" * (len(text) - shown))


def canonical_phone(value: str | None) -> Phone:
    """Canonical form of one phone number.

    Mobile: 11 digits. Landline: area code with its 0, then the number, then -extension if there is one; a number sent
    without its area code stays so. Foreign: + and digits.
    """
    text = _compact(value).translate(DASHES)
    digits = _settled(text, lambda changing: _compact(PUNCTUATION.sub("", changing.translate(DASHES))))
    if not digits:
        return Phone(None, "invalid", None)
    canonical, kind = _domestic(digits) or _with_extension(text) or _foreign(digits) or (digits, "invalid")
    if kind == "mobile":
        return Phone(canonical, kind, f"{canonical[:3]}****{canonical[-4:]}")
    shown = min(2, len(canonical) // 2)
    return Phone(canonical, kind, "*" * (len(canonical) - shown) + canonical[len(canonical) - shown :])


def canonical_name(value: str | None) -> Name:
    """Canonical form of one name: NFKC, one space between words, every middle dot U+00B7. Rare characters stay."""
    text = _settled(value, _name_step)
    return Name(text, text[0] + "**") if text else Name(None, None)


def _compact(value: str | None) -> str:
    """NFKC, upper case, no blanks."""
    if value and value.isascii() and value.isalnum():
        return value.upper()
    return _settled(value, lambda text: BLANK.sub("", unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).upper()))


def _settled(value: str | None, step: Callable[[str], str]) -> str:
    """Repeat until nothing changes: dropping a blank may join characters that NFKC then composes."""
    text = value or ""
    while (changed := step(text)) != text:
        text = changed
    return text


def _name_step(text: str) -> str:
    text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text).translate(DOTS))
    text = FULL_STOP_IN_NAME.sub("\u00b7", BLANK.sub(" ", text).strip())
    return DOT_WITH_SPACE.sub("\u00b7", text)


def _widened(text: str) -> str:
    """The 18 digits of an old 15-digit card: its holders were all born in the 1900s."""
    if not RESIDENT_15.fullmatch(text):
        return text
    body = f"{text[:6]}19{text[6:]}"
    return body + ric.calc_check_digit(body + "0")


def _resident_facts(number: str, as_of: date) -> tuple[str, date | None, str | None]:
    if not RESIDENT_18.fullmatch(number) or ric.calc_check_digit(number) != number[-1]:
        return "invalid", None, None
    try:
        birth_date = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "invalid", None, None
    if birth_date > as_of:
        return "invalid", None, None
    # 81 82 83 are residence permits of Hong Kong, Macau and Taiwan people, 9 is a foreigner's permanent card
    is_permit = number[:2] in ("81", "82", "83") or number[0] == "9"
    check = "valid" if not is_permit and _is_known_area(number[:6], number[6:10]) else "unknown_area"
    return check, birth_date, "male" if int(number[16]) % 2 else "female"


@lru_cache(maxsize=65536)
def _is_known_area(area: str, year: str) -> bool:
    try:
        ric.get_birth_place(f"{area}{year}01010000")
    except (ValidationError, KeyError):  # stdnum raises KeyError for a province without a county
        return False
    return True


def _domestic(digits: str) -> tuple[str, str] | None:
    if found := MOBILE.fullmatch(digits):
        return found[1], "mobile"
    if SERVICE_NUMBER.fullmatch(digits) or LANDLINE.fullmatch(digits) or LANDLINE_WITHOUT_AREA.fullmatch(digits):
        return digits, "landline"
    # only now: a local number may itself begin with 86
    if not (found := COUNTRY_CODE_86.fullmatch(digits)):
        return None
    number = found[1]
    if found := MOBILE.fullmatch(number):
        return found[1], "mobile"
    if SERVICE_NUMBER.fullmatch(number):
        return number, "landline"
    if found := LANDLINE_AFTER_86.fullmatch(number):
        return f"0{found[1]}", "landline"
    return None


def _with_extension(text: str) -> tuple[str, str] | None:
    found = EXTENSION.fullmatch(text)
    number = found and _domestic(PUNCTUATION.sub("", found[1]))
    if not number or number[1] != "landline" or LANDLINE_WITHOUT_AREA.fullmatch(number[0]):
        return None
    return f"{number[0]}-{found[2]}", "landline"


def _foreign(digits: str) -> tuple[str, str] | None:
    """The canonical form does not depend on the library's number plan, which changes with its releases."""
    found = INTERNATIONAL.fullmatch(digits)
    if not found or found[1].startswith("86"):
        return None
    canonical = f"+{found[1]}"
    try:
        is_possible = phonenumbers.is_possible_number(phonenumbers.parse(canonical, None))
    except phonenumbers.NumberParseException:
        is_possible = False
    return canonical, "foreign" if is_possible else "invalid"
