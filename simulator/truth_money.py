"""Decimal arithmetic of the truth: HALF_UP to the declared scale, never a float."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

Amounts = TypeVar("Amounts", bound=tuple[Decimal, ...])

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
MILLIONTH = Decimal("0.000001")


def round_to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def round_to_millionth(ratio: Decimal) -> Decimal:
    return ratio.quantize(MILLIONTH, ROUND_HALF_UP)


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def plus(one: Amounts, other: Amounts) -> Amounts:
    """Two named tuples of amounts, added name by name."""
    return type(one)(*(mine + theirs for mine, theirs in zip(one, other, strict=True)))
