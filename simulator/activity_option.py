"""Options: opening and closing by side, margin, exercise and assignment on the last day."""

from __future__ import annotations

import numpy as np

from simulator import events as ev
from simulator.activity_normal import available_cash, move_cash, unscripted
from simulator.day import Day
from simulator.randomness import chosen, picked
from simulator.trading import rates_in_force

OPEN_SHARE, CLOSE_SHARE = 0.15, 0.1
HANDLING_CENTS, SETTLEMENT_CENTS = 130, 30
PRICE_TIMES_UNIT = 10_000
PAYS = ("buy_open", "buy_close")
WITHOUT_PREMIUM = ("exercise", "assignment")


def trade_options(day: Day) -> None:
    """Random purchases and sales of long series by ordinary option accounts."""
    generator = day.stream("option orders")
    contracts = day.market.live_options(day.date).reset_index(drop=True)
    if contracts.empty:
        return
    cash = available_cash(day, "option")
    cash = cash[~cash.index.isin(day.broker.scripted)]
    margins = day.state["option_margins"].set_index("account_id")["occupied_margin_amount"]
    free = cash - margins.reindex(cash.index, fill_value=0)
    buyers = free[chosen(generator, len(free), OPEN_SHARE) & (free > 1_000_000)]
    rows = picked(generator, np.arange(len(contracts)), len(buyers))
    prices = np.array([day.market.settlement_price(row, day.date) for row in contracts.itertuples()], dtype=np.int64)
    later = contracts["expiry_date"].to_numpy()[rows] > day.date
    affordable = later & (prices[rows] * 100 * 2 < buyers.to_numpy() // 4)
    accounts, codes = buyers.index.to_numpy()[affordable], contracts["contract_code"].to_numpy()[rows][affordable]
    trade(day, accounts, codes, "buy_open", "long", np.full(len(accounts), 2), prices[rows][affordable])
    _sell_some(day, generator, set(zip(accounts, codes, strict=True)), contracts, prices)


def _sell_some(day: Day, generator, bought_today: set, contracts, prices) -> None:
    positions = unscripted(day, day.state["option_positions"])
    positions = positions[(positions["position_side"] == "long") & (positions["quantity"] > 0)]
    positions = positions[chosen(generator, len(positions), CLOSE_SHARE)]
    positions = positions[positions["contract_code"].isin(contracts["contract_code"])]
    fresh = [key not in bought_today for key in zip(positions["account_id"], positions["contract_code"], strict=True)]
    positions = positions[np.array(fresh, dtype=bool)]
    price = dict(zip(contracts["contract_code"], prices, strict=True))
    at = np.array([price[code] for code in positions["contract_code"]], dtype=np.int64)
    quantity = positions["quantity"].to_numpy()
    trade(
        day,
        positions["account_id"].to_numpy(),
        positions["contract_code"].to_numpy(),
        "sell_close",
        "long",
        quantity,
        at,
    )


def trade(day: Day, accounts, codes, business: str, side: str, quantity, price, margin_per_contract=0) -> None:
    """Fills of one business: record them, move the premium and set the new position. Price in 1/10000 yuan."""
    if not len(accounts):
        return
    turnover = quantity * price * PRICE_TIMES_UNIT // 100
    commission = quantity * _commission_per_contract(day, accounts)
    if business in WITHOUT_PREMIUM:
        turnover, settlement = np.zeros_like(turnover), -commission
    else:
        settlement = np.where(business in PAYS, -turnover, turnover) - commission
    trades = day.take_daily("PT", len(accounts))
    day.emit(
        ev.OptionTradeFilled,
        trade_id=trades,
        order_id=day.take_daily("PO", len(accounts)),
        account_id=accounts,
        contract_code=codes,
        business=business,
        position_side=side,
        quantity=quantity,
        price=price,
        turnover_amount=turnover,
        currency_code="CNY",
        commission_amount=commission,
        exchange_handling_fee_amount=quantity * HANDLING_CENTS,
        exchange_settlement_fee_amount=quantity * SETTLEMENT_CENTS,
        settlement_amount=settlement,
    )
    moved = "option_exercise" if business in WITHOUT_PREMIUM else "option_trade"
    move_cash(day, "option", accounts, moved, settlement, trade_id=trades)
    opens = business.endswith("_open")
    held = _held(day, accounts, codes, side)
    left = np.maximum(held + np.where(opens, quantity, -quantity), 0)
    day.emit(
        ev.OptionPositionSet,
        account_id=accounts,
        contract_code=codes,
        position_side=side,
        quantity=left,
        margin_amount=left * margin_per_contract,
    )


def _commission_per_contract(day: Day, accounts: np.ndarray) -> np.ndarray:
    """Cents a contract: an option rate is in yuan a contract."""
    rates = rates_in_force(day)
    rates = rates[(rates["product_class"] == "option") & (rates["exchange_code"] == "SSE")]
    return rates.set_index("account_id")["commission_rate"].loc[accounts].to_numpy() // 1_000_000


def _held(day: Day, accounts, codes, side: str) -> np.ndarray:
    positions = day.state["option_positions"]
    positions = positions[positions["position_side"] == side]
    held = dict(
        zip(zip(positions["account_id"], positions["contract_code"], strict=True), positions["quantity"], strict=True)
    )
    return np.array([held.get(key, 0) for key in zip(accounts, codes, strict=True)], dtype=np.int64)


def set_margin(day: Day, accounts, occupied) -> None:
    """Margin of option accounts: the broker asks a fifth more than the exchange."""
    occupied = np.asarray(occupied, dtype=np.int64)
    day.emit(
        ev.OptionMarginSet,
        account_id=accounts,
        currency_code="CNY",
        occupied_margin_amount=occupied,
        exchange_margin_amount=occupied * 10 // 12,
    )


def settle_margins(day: Day) -> None:
    """Ordinary short positions are margined anew at today's prices: their rows change, the rest are not delivered."""
    positions = unscripted(day, day.state["option_positions"])
    positions = positions[(positions["position_side"] == "short") & (positions["quantity"] > 0)]
    contracts = day.market.live_options(day.date)
    margin = {row.contract_code: day.market.option_margin(row, day.date) for row in contracts.itertuples()}
    positions = positions[positions["contract_code"].isin(margin)]
    amounts = positions["quantity"].to_numpy() * np.array(
        [margin[code] for code in positions["contract_code"]], dtype=np.int64
    )
    key = ("account_id", "contract_code", "position_side", "quantity")
    day.emit(ev.OptionPositionSet, **{name: positions[name].to_numpy() for name in key}, margin_amount=amounts)
    occupied = positions.assign(margin=amounts).groupby("account_id", sort=False)["margin"].sum()
    set_margin(day, occupied.index.to_numpy(), occupied.to_numpy())
    cash = available_cash(day, "option").reindex(occupied.index).to_numpy()
    short_of_cash = np.maximum(occupied.to_numpy() - cash, 0)
    some = short_of_cash > 0
    move_cash(day, "option", occupied.index.to_numpy()[some], "bank_transfer_in", short_of_cash[some] + 100_000)


def expire_positions(day: Day) -> None:
    """Ordinary positions of contracts that expired yesterday are gone, delivered as deleted, and their margin free."""
    yesterday = day.broker.sessions[day.index - 1]
    contracts = day.market.options
    expired = contracts.loc[contracts["expiry_date"] == yesterday, "contract_code"]
    positions = unscripted(day, day.state["option_positions"])
    positions = positions[positions["contract_code"].isin(expired) & (positions["quantity"] > 0)]
    key = ("account_id", "contract_code", "position_side")
    day.emit(ev.OptionPositionSet, **{name: positions[name].to_numpy() for name in key}, quantity=0, margin_amount=0)
    freed = positions.loc[positions["position_side"] == "short", "account_id"].unique()
    # Accounts with other short positions are margined anew afterwards.
    set_margin(day, freed, np.zeros(len(freed), dtype=np.int64))
