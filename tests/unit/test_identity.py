"""Numbers, phones and names: all spellings of one value become one. Every number here is invented."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spark_jobs.ingest import identity
from spark_jobs.ingest.identity import canonical_identity, canonical_name, canonical_phone

AS_OF = date(2026, 1, 5)
RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def resident_id(body: str) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(body, RESIDENT_WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def credit_code(body: str) -> str:
    total = sum(CREDIT_ALPHABET.index(sign) * weight for sign, weight in zip(body, CREDIT_WEIGHTS, strict=True))
    return body + CREDIT_ALPHABET[-total % 31]


def resident(value: str | None, as_of: date = AS_OF):
    return canonical_identity("resident_id", value, as_of)


def body_ending_in_x() -> str:
    return next(body for n in range(999) if resident_id(body := f"11010119900307{n:03d}").endswith("X"))


def test_check_digit_worked_out_by_hand():
    # 1*7+1*9+0+1*5+0+1*4 + 1*2+9*1+9*6+0 + 0+3*9+0+7*5 + 0+0+1*2 = 154 = 14*11 + 0 -> '1'
    assert resident_id("11010119900307001") == "110101199003070011"
    assert resident("110101199003070011").check == "valid"
    assert resident("110101199003070012").check == "invalid"


def test_valid_resident_number_gives_birth_date_gender_and_mask():
    found = resident("110101199003070011")
    assert (found.birth_date, found.gender) == (date(1990, 3, 7), "male")
    assert found.masked == "110***************"
    assert resident(resident_id("11010119900307002")).gender == "female"


def test_fifteen_digits_become_the_eighteen_digits_of_the_same_person():
    old = resident("110101900307001")
    assert old == resident("110101199003070011")
    assert old.check == "valid"


def test_full_width_digits_spaces_and_lower_case_x_are_one_number():
    number = resident_id(body_ending_in_x())
    full_width = "".join(chr(ord(sign) + 0xFEE0) for sign in number)
    for spelling in (number.lower(), full_width, f"\u3000{number[:6]} {number[6:]}\x00", f"\u200b{number}"):
        assert resident(spelling) == resident(number)
    assert resident(number).check == "valid"


def test_impossible_birth_date_is_invalid():
    assert resident(resident_id("11010119900230001")) == resident(resident_id("11010119900230001"))
    assert resident(resident_id("11010119900230001")).check == "invalid"
    assert resident(resident_id("11010100190307001")).check == "invalid"


def test_birth_date_may_be_the_business_date_but_not_after_it():
    number = resident_id("11010120260105001")
    assert resident(number, AS_OF).check == "valid"
    assert resident(number, date(2026, 1, 4)).check == "invalid"
    assert resident(number, date(2026, 1, 4)).birth_date is None


@pytest.mark.parametrize("area", ["810000", "820000", "830000", "911840", "000001", "999999"])
def test_permits_and_unknown_areas_only_warn(area):
    found = resident(resident_id(f"{area}19900307001"))
    assert (found.check, found.birth_date, found.gender) == ("unknown_area", date(1990, 3, 7), "male")


def test_permits_warn_even_if_a_later_area_list_knows_them(monkeypatch):
    monkeypatch.setattr(identity, "_is_known_area", lambda area, year: True)
    for area in ("810000", "820000", "830000", "911840"):
        assert resident(resident_id(f"{area}19900307001")).check == "unknown_area"


def test_permit_with_a_wrong_check_digit_is_invalid():
    number = resident_id("81000019900307001")
    assert resident(number[:-1] + str((int(number[-1]) + 1) % 10)).check == "invalid"


@pytest.mark.parametrize("value", ["12345", "11010119900307001Y", "X10101199003070011", "无", "١١٠١٠١١٩٩٠٠٣٠٧٠٠١١"])
def test_wrong_shape_is_invalid_and_kept(value):
    found = resident(value)
    assert found.check == "invalid"
    assert found.canonical == value


def test_mask_never_shows_a_short_value_whole():
    assert resident("12").masked == "1*"
    assert resident("7").masked == "*"


@pytest.mark.parametrize("value", [None, "", "  ", "\u3000"])
def test_empty_value_is_null(value):
    assert (resident(value).canonical, resident(value).masked) == (None, None)
    assert (canonical_phone(value).canonical, canonical_phone(value).masked) == (None, None)
    assert (canonical_name(value).canonical, canonical_name(value).masked) == (None, None)


def test_kinds_without_a_rule_are_not_checked():
    for kind in ("passport", "hk_macau_permit", "taiwan_permit", "foreign_permanent_card", "product_filing", "other"):
        found = canonical_identity(kind, "e1234 5678", AS_OF)
        assert (found.canonical, found.check, found.masked) == ("E12345678", "not_checked", "E12******")
        assert (found.birth_date, found.gender) == (None, None)


def test_fifteen_digits_of_another_kind_are_not_widened():
    assert canonical_identity("product_filing", "110101900307001", AS_OF).canonical == "110101900307001"


def test_credit_code_is_checked_by_the_standard():
    for body in ("91110000MA0000001", "N2110000MF0000001", "A1110000MF0000001"):
        code = credit_code(body)
        wrong = body + CREDIT_ALPHABET[(CREDIT_ALPHABET.index(code[-1]) + 1) % 31]
        assert canonical_identity("unified_social_credit_code", code.lower(), AS_OF).check == "valid"
        assert canonical_identity("unified_social_credit_code", wrong, AS_OF).check == "invalid"
    assert canonical_identity("unified_social_credit_code", "91110000MAO000001I", AS_OF).check == "invalid"


@pytest.mark.parametrize(
    "value",
    ["13800000001", "+86 138-0000-0001", "0086-13800000001", "8613800000001", "（+86）１３８００００００01",
     "013800000001", "\u202d138 0000 0001\u202c", "138\u20110000\u20110001", "+86 013800000001"],
)  # fmt: skip
def test_every_spelling_of_a_mobile_is_one_number(value):
    phone = canonical_phone(value)
    assert (phone.canonical, phone.kind, phone.masked) == ("13800000001", "mobile", "138****0001")


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("010-55500001", "01055500001"),
        ("(010)5550 0001", "01055500001"),
        ("+86 10 5550 0001", "01055500001"),
        ("86-010-55500001", "01055500001"),
        ("0755-55500001", "075555500001"),
        ("0086 755 5550001", "07555550001"),
        ("010-55500001-801", "01055500001-801"),
        ("010-55500001转801", "01055500001-801"),
        ("400-800-0001", "4008000001"),
        ("86550001", "86550001"),
    ],
)
def test_landline_keeps_its_area_code_and_extension(value, canonical):
    phone = canonical_phone(value)
    assert (phone.canonical, phone.kind) == (canonical, "landline")
    assert phone.masked == "*" * (len(canonical) - 2) + canonical[-2:]


def test_foreign_number_keeps_its_country_code():
    assert canonical_phone("00852-5550 0001") == canonical_phone("+852 55500001")
    assert canonical_phone("+852 55500001").canonical == "+85255500001"
    assert canonical_phone("+852 55500001").kind == "foreign"


@pytest.mark.parametrize(
    "value", ["12345678901", "1380000000", "138000000012", "无", "13800000001/13900000001", "+8612345"]
)
def test_what_is_no_phone_is_invalid_and_kept(value):
    phone = canonical_phone(value)
    assert (phone.canonical, phone.kind) == (value, "invalid")


def test_middle_dots_of_minority_names_are_one_sign():
    for dot in "·•‧・･∙⋅．.․●":
        assert canonical_name(f"阿依{dot}古丽").canonical == "阿依\u00b7古丽"
    assert canonical_name("阿依 · 古丽").canonical == "阿依\u00b7古丽"
    assert canonical_name("J. Smith").canonical == "J. Smith"


def test_name_keeps_rare_characters_and_one_space_between_words():
    assert canonical_name("\U00020164\ue000三").canonical == "\U00020164\ue000三"
    assert canonical_name("\U00020164\ue000三").masked == "\U00020164**"
    assert canonical_name(" Anna \u3000 Test ").canonical == "Anna Test"
    assert canonical_name("王小明").masked == "王**"


TEXT = st.one_of(st.text(), st.text("0123456789+-86 ()转#.·•Xx０１\u0301¨\u200b王", max_size=24))


@given(TEXT)
@example("a\u00a8")  # the blank inside the compatibility sign goes, and what is left composes
@example("C.\u0327")  # so does what stood on either side of a full stop
def test_canonicalising_twice_changes_nothing(value):
    for kind in ("resident_id", "passport", "unified_social_credit_code"):
        once = canonical_identity(kind, value, AS_OF)
        assert canonical_identity(kind, once.canonical, AS_OF) == once
    assert canonical_phone(canonical_phone(value).canonical) == canonical_phone(value)
    assert canonical_name(canonical_name(value).canonical) == canonical_name(value)


@given(st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(0, 999))
def test_widening_agrees_with_the_weights_of_the_standard(born, order):
    short = f"110101{born:%y%m%d}{order:03d}"
    found = resident(short)
    assert found.canonical == resident_id(f"11010119{short[6:]}")
    assert found.birth_date == born
