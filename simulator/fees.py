"""Fees of a fill in integers: statutory rates dated, commission agreed, the floor once an order.

Rates are in units of 10^-8, amounts in cents; every component is rounded HALF_UP on its own.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

RATE_UNIT = 100_000_000
YEAR_2015, STAMP_2023, TRANSFER_2022 = dt.date(2015, 8, 1), dt.date(2023, 8, 28), dt.date(2022, 4, 29)
A_SHARE_EXCHANGES = ("SSE", "SZSE", "BSE")

# (fee kind, product class, exchanges, side, effective date, rate in 10^-8)
_STATUTORY: tuple[tuple[str, str, tuple[str, ...], str, dt.date, int], ...] = (
    ("stamp_duty", "stock", A_SHARE_EXCHANGES, "sell", dt.date(2008, 9, 19), 100_000),
    ("stamp_duty", "stock", A_SHARE_EXCHANGES, "sell", STAMP_2023, 50_000),
    ("stamp_duty", "b_share", ("SSE_B", "SZSE_B"), "sell", STAMP_2023, 50_000),
    ("stamp_duty", "hk_stock", ("HK_SH", "HK_SZ"), "both", dt.date(2023, 11, 17), 100_000),
    ("transfer", "stock", A_SHARE_EXCHANGES, "both", YEAR_2015, 2_000),
    ("transfer", "stock", A_SHARE_EXCHANGES, "both", TRANSFER_2022, 1_000),
    ("handling", "stock", ("SSE", "SZSE"), "both", YEAR_2015, 4_870),
    ("handling", "stock", ("SSE", "SZSE"), "both", STAMP_2023, 3_410),
    ("handling", "stock", ("BSE",), "both", dt.date(2021, 11, 15), 50_000),
    ("handling", "stock", ("BSE",), "both", dt.date(2022, 12, 1), 25_000),
    ("handling", "stock", ("BSE",), "both", STAMP_2023, 12_500),
    ("handling", "b_share", ("SSE_B", "SZSE_B"), "both", STAMP_2023, 3_410),
    ("handling", "fund", ("SSE", "SZSE"), "both", YEAR_2015, 4_000),
    ("handling", "bond", ("SSE",), "both", YEAR_2015, 100),
    ("handling", "bond", ("SZSE",), "both", YEAR_2015, 4_000),
    ("handling", "hk_stock", ("HK_SH", "HK_SZ"), "both", dt.date(2023, 1, 1), 5_650),
    ("regulatory", "stock", A_SHARE_EXCHANGES, "both", YEAR_2015, 2_000),
    ("regulatory", "b_share", ("SSE_B", "SZSE_B"), "both", YEAR_2015, 2_000),
    ("regulatory", "hk_stock", ("HK_SH", "HK_SZ"), "both", dt.date(2022, 1, 1), 2_850),
    ("option_handling", "option", ("SSE", "SZSE"), "both", YEAR_2015, 130_000_000),
    ("option_settlement", "option", ("SSE", "SZSE"), "both", YEAR_2015, 30_000_000),
)
# No statutory row has a kind for it: the settlement fee of Hong Kong shares is a plain exchange charge.
HK_SETTLEMENT_RATE = 4_200
HK_PRODUCT_CLASS = "hk_stock"


def statutory_rows() -> list[tuple[str, str, str, str, dt.date, int]]:
    """One row a fee kind, product class, exchange, side and effective date."""
    return [(fee, product, exchange, *rest) for fee, product, exchanges, *rest in _STATUTORY for exchange in exchanges]


def announced_rows(day_index: int, today: dt.date) -> list[tuple[str, str, str, str, dt.date, int]]:
    """A rate announced for a far day: published, corrected, withdrawn. It never applies inside a run."""
    effective = dt.date(today.year + 5, 1, 1)
    rate = {2: 2_000, 3: 1_500}.get(day_index)
    return [("regulatory", "fund", "SSE", "both", effective, rate)] if rate else []


def half_up(numerator: np.ndarray, denominator: np.ndarray | int) -> np.ndarray:
    """Quotient of whole numbers rounded HALF_UP away from zero."""
    return np.sign(numerator) * ((2 * np.abs(numerator) + denominator) // (2 * np.asarray(denominator)))


def share_of(amount: np.ndarray, rate: np.ndarray | int) -> np.ndarray:
    return half_up(np.asarray(amount, dtype=np.int64) * rate, RATE_UNIT)


def statutory_rate(fee_kind: str, product_class: str, exchange: str, is_sell: bool, on: dt.date) -> int:
    """The rate in force, 0 where no row applies."""
    rates = [
        (effective, rate)
        for fee, product, code, side, effective, rate in statutory_rows()
        if (fee, product, code) == (fee_kind, product_class, exchange)
        and effective <= on
        and (side == "both" or is_sell)
    ]
    return max(rates)[1] if rates else 0


def order_commissions(
    turnover: np.ndarray, order_start: np.ndarray, rate: np.ndarray, minimum: np.ndarray
) -> np.ndarray:
    """Commission of every fill: the order's, floored once, spread over its fills so that they sum to it.

    Fills of an order stand together; `order_start` are the positions of first fills; rate and minimum are per order.
    """
    fills_per_order = np.diff(np.append(order_start, len(turnover)))
    order_turnover = np.add.reduceat(turnover, order_start)
    order_commission = np.maximum(share_of(order_turnover, rate), minimum)
    running = np.cumsum(turnover) - np.repeat(np.cumsum(order_turnover) - order_turnover, fills_per_order)
    spread = half_up(running * np.repeat(order_commission, fills_per_order), np.repeat(order_turnover, fills_per_order))
    return spread - np.where(np.isin(np.arange(len(turnover)), order_start), 0, np.roll(spread, 1))


def fill_charges(
    turnover: np.ndarray,
    product_class: np.ndarray,
    exchange: np.ndarray,
    is_sell: np.ndarray,
    commission: np.ndarray,
    includes_regulatory_fee: np.ndarray,
    on: dt.date,
) -> dict[str, np.ndarray]:
    """The ten fee columns of every fill, in cents."""
    none = np.zeros(len(turnover), dtype=np.int64)
    paid = {fee: none.copy() for fee in ("stamp_duty", "transfer", "handling", "regulatory", "settlement")}
    for product, code, sells in set(zip(product_class.tolist(), exchange.tolist(), is_sell.tolist(), strict=True)):
        rows = (product_class == product) & (exchange == code) & (is_sell == sells)
        for fee in ("stamp_duty", "transfer", "handling", "regulatory"):
            paid[fee][rows] = share_of(turnover[rows], statutory_rate(fee, product, code, sells, on))
        if product == HK_PRODUCT_CLASS:
            # Hong Kong rounds stamp duty up to a whole dollar.
            rate = statutory_rate("stamp_duty", product, code, sells, on)
            paid["stamp_duty"][rows] = -(-turnover[rows] * rate // (RATE_UNIT * 100)) * 100
            paid["settlement"][rows] = share_of(turnover[rows], HK_SETTLEMENT_RATE)
    separate = np.where(includes_regulatory_fee, 0, paid["handling"] + paid["regulatory"])
    return {
        "commission_amount": commission,
        "stamp_duty_amount": paid["stamp_duty"],
        "transfer_fee_amount": paid["transfer"],
        "order_fee_amount": none,
        "other_fee_amount": separate,
        "exchange_handling_fee_amount": paid["handling"],
        "exchange_regulatory_fee_amount": paid["regulatory"],
        "exchange_transfer_fee_amount": paid["transfer"],
        "exchange_settlement_fee_amount": paid["settlement"],
        "exchange_other_fee_amount": none,
    }


def charged_total(charges: dict[str, np.ndarray]) -> np.ndarray:
    """What the customer pays on top of the turnover."""
    names = ("commission_amount", "stamp_duty_amount", "transfer_fee_amount", "order_fee_amount", "other_fee_amount")
    return sum(charges[name] for name in names)
