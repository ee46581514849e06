"""Invented legal persons: names, documents, phones. Nobody here exists."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import identities
from simulator.randomness import chosen, picked, stream

SURNAMES = [
    *"王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪",
    *"廖石金贾韦夏付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤",
    *["欧阳", "司马", "上官", "诸葛"],
]
GIVEN = list("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉萍红鹏宇轩涵梓浩然博文雨欣怡佳诗晨曦思远子墨嘉懿泽睿")
# Characters that need four bytes in GB18030 or are missing from GBK.
RARE_NAMES = ["王𬭊", "李㛃", "陈𬍛", "张䶮", "刘𫖯"]
MINORITY_NAMES = ["阿依古丽·买买提", "巴图·苏和", "扎西·多吉", "古丽娜尔·艾合买提"]
FOREIGN_NAMES = ["JOHN A SMITH", "MARIA LOPEZ", "TANAKA YUKI", "CHAN TAI MAN", "LEE KA SHING ALBERT", "KIM MIN SU"]
FIRM_PLACES = ["江岭", "澜海", "云岫", "沧澜", "北屿", "青禾", "远川", "恒澈", "嘉屿", "明峤"]
FIRM_TRADES = ["贸易", "投资管理", "私募基金管理", "科技", "实业", "商务服务", "置业", "资产管理"]
FOREIGN_KINDS = ["passport", "hk_macau_permit", "taiwan_permit", "foreign_permanent_card", "other"]
LANDLINE_SHARE, NO_PHONE_SHARE, PLUS_86_SHARE = 0.01, 0.03, 0.02
FOREIGN_SHARE, WRONG_CHECK_SHARE, OLD_FORM_SHARE, LOWER_CASE_SHARE = 0.02, 0.004, 0.02, 0.3
PHONE_STEP, PHONES = 1_234_567_891, 7_000_000_000
# Places of phones: persons from 0, institutions from FIRST_FIRM, people to call there from FIRST_CONTACT.
FIRST_FIRM, FIRST_CONTACT, CONTACTS = 3_000_000_000, 5_000_000_000, 1_000_000_000

PEOPLE_COLUMNS = [
    "person_key",
    "client_name",
    "client_kind",
    "identity_kind",
    "identity_number",
    "identity_is_valid",
    "delivered_identity_number",
    "mobile_phone",
]


class People:
    """Hands out new legal persons; no document or phone is given twice."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._persons = self._firms = self._products = 0

    def persons(self, count: int) -> pd.DataFrame:
        """Natural persons: mostly resident IDs, a few foreign documents and wrong check digits."""
        if not count:
            return pd.DataFrame(columns=PEOPLE_COLUMNS)
        generator = stream(self._seed, "persons", self._persons)
        numbers, births = identities.resident_numbers(self._persons, count)
        people = pd.DataFrame(
            {
                "person_key": _keys("person", self._persons, count),
                "client_name": _person_names(generator, count),
                "client_kind": "person",
                "identity_kind": "resident_id",
                "identity_number": numbers,
                "identity_is_valid": True,
                "delivered_identity_number": numbers,
                "mobile_phone": _phones(generator, self._persons, count),
            }
        )
        _spoil_check_digits(people, chosen(generator, count, WRONG_CHECK_SHARE))
        old = chosen(generator, count, OLD_FORM_SHARE) & (births < np.datetime64("1975-01-01"))
        old &= people["identity_is_valid"].to_numpy()
        people.loc[old, "delivered_identity_number"] = [identities.old_form(n) for n in numbers[old]]
        lower = chosen(generator, count, LOWER_CASE_SHARE) & ~old
        shown = people.loc[lower, "delivered_identity_number"]
        people.loc[lower, "delivered_identity_number"] = [number.lower() for number in shown]
        _make_foreign(people, chosen(generator, count, FOREIGN_SHARE), self._persons, generator)
        self._persons += count
        return people

    def firms(self, count: int) -> pd.DataFrame:
        """Institutions with a unified social credit code."""
        if not count:
            return pd.DataFrame(columns=PEOPLE_COLUMNS)
        generator = stream(self._seed, "firms", self._firms)
        codes = [identities.social_credit_code(self._firms + i + 1) for i in range(count)]
        places, trades = picked(generator, FIRM_PLACES, count), picked(generator, FIRM_TRADES, count)
        serials = [f"{i + 1:d}号" if i >= 40 else "" for i in range(self._firms, self._firms + count)]
        names = [f"{p}{s}{t}有限公司" for p, s, t in zip(places, serials, trades, strict=True)]
        firms = _frame("firm", self._firms, "institution", "unified_social_credit_code", names, codes)
        firms["mobile_phone"] = _phones(generator, FIRST_FIRM + self._firms, count)
        self._firms += count
        return firms

    def products(self, manager_names: list[str]) -> pd.DataFrame:
        """Products, one for each given manager."""
        count = len(manager_names)
        codes = [identities.product_filing_code(self._products + i + 1) for i in range(count)]
        names = [f"{name[:2]}稳进{self._products + i + 1}号私募证券投资基金" for i, name in enumerate(manager_names)]
        products = _frame("product", self._products, "product", "product_filing", names, codes)
        products["mobile_phone"] = None
        self._products += count
        return products


def new_contacts(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Names and mobile phones of people at institutions, who are no clients themselves; the phones are nobody else's."""
    places = FIRST_CONTACT + generator.integers(0, CONTACTS, count)
    return _person_names(generator, count), _mobile_phones(_phone_numbers(places))


def _frame(key: str, first: int, client_kind: str, identity_kind: str, names: list, codes: list) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person_key": _keys(key, first, len(codes)),
            "client_name": np.array(names, dtype=object),
            "client_kind": client_kind,
            "identity_kind": identity_kind,
            "identity_number": np.array(codes, dtype=object),
            "identity_is_valid": True,
            "delivered_identity_number": np.array(codes, dtype=object),
        }
    )


def _keys(prefix: str, first: int, count: int) -> np.ndarray:
    return np.array([f"{prefix}-{number}" for number in range(first + 1, first + count + 1)], dtype=object)


def _person_names(generator: np.random.Generator, count: int) -> np.ndarray:
    second = np.where(chosen(generator, count, 0.3), "", picked(generator, GIVEN, count))
    names = picked(generator, SURNAMES, count) + picked(generator, GIVEN, count) + second
    for pool, share in ((RARE_NAMES, 0.004), (MINORITY_NAMES, 0.006)):
        names = np.where(chosen(generator, count, share), picked(generator, pool, count), names)
    return names


def _phones(generator: np.random.Generator, first: int, count: int) -> np.ndarray:
    numbers = _phone_numbers(np.arange(first + 1, first + count + 1, dtype=np.int64))
    phones = _mobile_phones(numbers)
    kind = generator.random(count)
    phones = np.where(kind < PLUS_86_SHARE, "+86" + phones, phones) if count else phones
    landlines = np.array([f"010-8{number % 10_000_000:07d}" for number in numbers.tolist()], dtype=object)
    phones = np.where(kind > 1 - LANDLINE_SHARE, landlines, phones)
    return np.where(chosen(generator, count, NO_PHONE_SHARE), None, phones)


def _phone_numbers(places: np.ndarray) -> np.ndarray:
    """One for each place; neighbours look nothing like each other."""
    return places % PHONES * PHONE_STEP % PHONES


def _mobile_phones(numbers: np.ndarray) -> np.ndarray:
    return np.array([f"1{number + 3_000_000_000}" for number in numbers.tolist()], dtype=object)


def _spoil_check_digits(people: pd.DataFrame, wrong: np.ndarray) -> None:
    spoiled = [identities.with_wrong_check_digit(number) for number in people.loc[wrong, "identity_number"]]
    people.loc[wrong, "identity_number"] = spoiled
    people.loc[wrong, "delivered_identity_number"] = spoiled
    people.loc[wrong, "identity_is_valid"] = False


def _make_foreign(people: pd.DataFrame, foreign: np.ndarray, first: int, generator: np.random.Generator) -> None:
    kinds = picked(generator, FOREIGN_KINDS, int(foreign.sum()), [0.35, 0.35, 0.1, 0.15, 0.05])
    indexes = first + np.flatnonzero(foreign)
    numbers = [identities.foreign_document(kind, int(index)) for kind, index in zip(kinds, indexes, strict=True)]
    people.loc[foreign, "identity_kind"] = kinds
    people.loc[foreign, "identity_number"] = numbers
    people.loc[foreign, "delivered_identity_number"] = numbers
    people.loc[foreign, "identity_is_valid"] = True
    people.loc[foreign, "client_name"] = picked(generator, FOREIGN_NAMES, int(foreign.sum()))
