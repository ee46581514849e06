"""What every account holds and is worth at the end of a day, and the risk figures that follow from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from simulator.events import RepurchaseContractSet
from simulator.truth_market import Market
from simulator.truth_money import ZERO, plus, round_to_millionth, total_of
from simulator.truth_state import AccountKey, BrokerState

MARGIN_WATCH_LINE = Decimal("1.5")


class Assets(NamedTuple):
    """CNY amounts of one account, or summed over the accounts of a customer."""

    cash: Decimal = ZERO
    securities: Decimal = ZERO
    restricted: Decimal = ZERO
    in_transit: Decimal = ZERO
    fund: Decimal = ZERO
    credit_asset: Decimal = ZERO
    credit_debt: Decimal = ZERO
    option_equity: Decimal = ZERO
    repurchase_asset: Decimal = ZERO
    repurchase_debt: Decimal = ZERO
    pledge_debt: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Everything owned; no debt in it."""
        on_counters = self.cash + self.securities + self.in_transit + self.fund + self.credit_asset + self.option_equity
        return on_counters + self.repurchase_asset

    @property
    def net(self) -> Decimal:
        return self.total - self.credit_debt - self.repurchase_debt - self.pledge_debt

    plus = plus

    def cells(self) -> tuple[Decimal, ...]:
        """In the order of `ASSET_COLUMNS`."""
        return (
            *self[:7],
            self.credit_asset - self.credit_debt,
            self.option_equity,
            self.repurchase_asset,
            self.repurchase_debt,
            self.pledge_debt,
            self.total,
            self.net,
        )


class Holding(NamedTuple):
    """All positions of one account in one instrument and side. maturity_date: of a product; of an option the day it expires."""

    instrument_id: str
    position_side: str
    quantity: Decimal
    market_value: Decimal
    product_risk_level: str | None = None
    maturity_date: dt.date | None = None


def value_account(state: BrokerState, market: Market, key: AccountKey) -> tuple[Assets, list[Holding]]:
    """Value one delivered account by the blocks of its line."""
    return _VALUATIONS[key[0]](state, market, key)


def maintenance_ratio(assets: Assets) -> Decimal | None:
    """Six decimals; None when nothing is owed."""
    if not assets.credit_debt:
        return None
    return round_to_millionth(assets.credit_asset / assets.credit_debt)


def margin_tier(ratio: Decimal | None, call_line: Decimal | None, close_out_line: Decimal | None) -> str | None:
    """The tier of the published (rounded) ratio; a line the contract does not give is never crossed."""
    if ratio is None:
        return None
    if close_out_line is not None and ratio < close_out_line:
        return "close_out"
    if call_line is not None and ratio < call_line:
        return "call"
    return "watch" if ratio < MARGIN_WATCH_LINE else "normal"


def risk_degree(state: BrokerState, market: Market, key: AccountKey) -> Decimal | None:
    """Occupied margin over the option account's balance; None without a short position, or with nothing in it."""
    positions = state.option_positions.get(key, {})
    is_short = any(side == "short" and quantity for (_, side), quantity in positions.items())
    balance = _cash_in_cny(state.cash, market, key)
    if not is_short or not balance:
        return None
    return round_to_millionth(_cash_in_cny(state.occupied_margins, market, key) / balance)


def _value_normal(state: BrokerState, market: Market, key: AccountKey) -> tuple[Assets, list[Holding]]:
    holdings = _merge_holdings(_security_holdings(state, market, key))
    assets = Assets(
        cash=_cash_in_cny(state.cash, market, key),
        securities=_market_value(holdings),
        restricted=total_of(
            market.value_of_security(exchange_code, security_code, restricted)
            for (_, exchange_code, security_code), (_, restricted) in state.positions.get(key, {}).items()
        ),
        in_transit=_cash_in_cny(state.in_transit, market, key),
    )
    contracts = state.repurchases.get(key, {}).values()
    sold = [contract for contract in contracts if contract.contract_kind == "agreed_repurchase"]
    pledged = [contract for contract in contracts if contract.contract_kind == "pledge"]
    lent_against = Assets(
        # Sold shares have left the position; pledged ones are in it already.
        repurchase_asset=total_of(collateral_value(market, contract) for contract in sold),
        repurchase_debt=total_of(owed_on(contract) for contract in sold),
        pledge_debt=total_of(owed_on(contract) for contract in pledged),
    )
    return assets.plus(lent_against), holdings


def collateral_value(market: Market, contract: RepurchaseContractSet) -> Decimal:
    return market.value_of_security(contract.exchange_code, contract.security_code, contract.collateral_quantity)


def owed_on(contract: RepurchaseContractSet) -> Decimal:
    return contract.principal_amount + contract.unpaid_interest_amount


def guarantee_ratio(market: Market, contract: RepurchaseContractSet) -> Decimal | None:
    """Six decimals; None when nothing is owed."""
    owed = owed_on(contract)
    return round_to_millionth(collateral_value(market, contract) / owed) if owed else None


def guarantee_tier(ratio: Decimal | None, contract: RepurchaseContractSet) -> str | None:
    """The worst line the published (rounded) ratio is under; one the contract does not give is never crossed."""
    if ratio is None:
        return None
    for tier in ("disposal", "warning", "watch"):
        line = getattr(contract, f"{tier}_line")
        if line is not None and ratio < line:
            return tier
    return "normal"


def _value_credit(state: BrokerState, market: Market, key: AccountKey) -> tuple[Assets, list[Holding]]:
    holdings = _merge_holdings(_security_holdings(state, market, key))
    assets = Assets(
        credit_asset=_cash_in_cny(state.cash, market, key) + _market_value(holdings),
        credit_debt=_credit_debt(state, market, key),
    )
    return assets, holdings


def _value_option(state: BrokerState, market: Market, key: AccountKey) -> tuple[Assets, list[Holding]]:
    holdings = [
        Holding(
            contract_code,
            side,
            quantity,
            market.value_of_option(contract_code, side, quantity),
            maturity_date=market.maturities.get(contract_code),
        )
        for (contract_code, side), quantity in sorted(state.option_positions.get(key, {}).items())
        if quantity
    ]
    return Assets(option_equity=_cash_in_cny(state.cash, market, key) + _market_value(holdings)), holdings


def _value_fund(state: BrokerState, market: Market, key: AccountKey) -> tuple[Assets, list[Holding]]:
    quantities, incomes = state.fund_quantities.get(key, {}), state.fund_incomes.get(key, {})
    holdings = []
    for product_code, share_class in sorted(quantities.keys() | incomes.keys()):
        quantity = quantities.get((product_code, share_class), ZERO)
        income = incomes.get((product_code, share_class), ZERO)
        if quantity or income:
            value = market.value_of_fund(product_code, quantity, income)
            risk_level, maturity = market.product_risks.get(product_code), market.maturities.get(product_code)
            holdings.append(Holding(f"{product_code}.{share_class}", "long", quantity, value, risk_level, maturity))
    return Assets(fund=_market_value(holdings)), holdings


_VALUATIONS = {"normal": _value_normal, "credit": _value_credit, "option": _value_option, "fund": _value_fund}


def _cash_in_cny(balances: dict[AccountKey, dict[str, Decimal]], market: Market, key: AccountKey) -> Decimal:
    return total_of(market.to_cny(amount, currency_code) for currency_code, amount in balances.get(key, {}).items())


def _market_value(holdings: list[Holding]) -> Decimal:
    return total_of(holding.market_value for holding in holdings)


def _security_holdings(state: BrokerState, market: Market, key: AccountKey) -> Iterator[Holding]:
    """One for each delivered position row, that is for each securities account. An empty row is not delivered."""
    for (_, exchange_code, security_code), (quantity, _) in state.positions.get(key, {}).items():
        if quantity:
            value = market.value_of_security(exchange_code, security_code, quantity)
            yield Holding(f"{security_code}.{exchange_code}", "long", quantity, value)


def _merge_holdings(rows: Iterator[Holding]) -> list[Holding]:
    """Rows of one instrument summed after their values were rounded, sorted by instrument."""
    merged: dict[str, Holding] = {}
    for row in rows:
        same = merged.get(row.instrument_id)
        merged[row.instrument_id] = (
            row._replace(quantity=same.quantity + row.quantity, market_value=same.market_value + row.market_value)
            if same
            else row
        )
    return [merged[instrument_id] for instrument_id in sorted(merged)]


def _credit_debt(state: BrokerState, market: Market, key: AccountKey) -> Decimal:
    debt = ZERO
    for contract in state.contracts.get(key, {}).values():
        debt += contract.outstanding_fee_amount + contract.unpaid_interest_amount + contract.penalty_amount
        if contract.contract_kind == "financing":
            debt += contract.outstanding_principal_amount
        else:
            debt += market.value_of_security(
                contract.exchange_code, contract.security_code, contract.outstanding_quantity
            )
    return debt
