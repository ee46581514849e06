"""Ordinary customers: who they are, which accounts they open and what they own on the opening day.

Everything is a column over all customers. Wealth is heavy-tailed; a few people have two client numbers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.market import ENDED_FUND, NEW_FUND
from simulator.people import PEOPLE_COLUMNS
from simulator.randomness import chosen, picked

FIRM_SHARE, PRODUCT_SHARE, SECOND_NUMBER_SHARE = 0.04, 0.02, 0.03
AUXILIARY_SHARE, CREDIT_SHARE, OPTION_SHARE, FUND_SHARE = 0.15, 0.25, 0.10, 0.35
BSE_SHARE, B_SHARE_SHARE, HK_SHARE = 0.2, 0.01, 0.04
FUND_TRADER_SHARE, BOND_TRADER_SHARE = 0.4, 0.15
RESTRICTED_SHARE, FROZEN_CASH_SHARE = 0.02, 0.01
WEALTH_LOG_MEAN, WEALTH_LOG_DEVIATION, WEALTH_LIMIT = 11.6, 1.5, 50_000_000
STOCK_RATES = [10_000, 12_000, 15_000, 20_000, 25_000, 30_000, 50_000]
MINIMUM_COMMISSION = 500
CALL_LINES = [(1_300_000, 1_100_000), (1_400_000, 1_300_000), (1_350_000, 1_150_000)]
BANKS = ["B01", "B02", "B03", "B04", "B05"]
RISK_LEVELS = ["C1_MINIMUM", "C1", "C2", "C3", "C4", "C5", None]
RISK_WEIGHTS = [0.02, 0.08, 0.2, 0.35, 0.25, 0.08, 0.02]

# how an account's pay is shared: (probability, ratios in 10^-8)
RELATION_PATTERNS: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.12, ()),
    (0.58, (100_000_000,)),
    (0.16, (70_000_000, 30_000_000)),
    (0.08, (33_333_333, 33_333_333, 33_333_333)),
    (0.06, (40_000_000, 25_000_000)),
)


def open_population(day: Day, customers: int) -> None:
    """All ordinary customers of the opening baseline."""
    firms = round(customers * FIRM_SHARE)
    products = min(round(customers * PRODUCT_SHARE), firms)
    people = day.broker.people
    firm_rows = people.firms(firms)
    enrol(day, people.persons(customers - firms - products), "people")
    managers = enrol(day, firm_rows, "firms")
    product_rows = people.products(firm_rows["client_name"].tolist()[:products])
    enrol(day, product_rows, "products", managers["client_number"].to_numpy()[:products])


def join_customers(day: Day, count: int) -> None:
    """New natural persons who open an account today and pay in by bank transfer."""
    if count:
        enrol(day, day.broker.people.persons(count), "joiners")


def enrol(day: Day, people: pd.DataFrame, stream_name: str, managers: np.ndarray | None = None) -> pd.DataFrame:
    """Open client numbers and accounts for these legal persons; returns their normal clients."""
    if people.empty:
        return people.assign(client_number=None)
    generator = day.stream(f"enrol {stream_name}")
    clients = _open_normal_clients(day, generator, people, managers)
    accounts = _open_normal_accounts(day, generator, clients)
    _open_credit(day, generator, clients[: len(people)])
    _open_options(day, generator, clients[: len(people)])
    _open_funds(day, generator, clients[: len(people)])
    _fund_normal_accounts(day, generator, accounts)
    return clients


# ---------------------------------------------------------------- normal counter


def _open_normal_clients(day, generator, people, managers) -> pd.DataFrame:
    second = people[chosen(generator, len(people), SECOND_NUMBER_SHARE) & (people["client_kind"] == "person")]
    clients = pd.concat([people, second], ignore_index=True)
    count = len(clients)
    clients["client_number"] = day.take("NOR", count)
    clients["branch_id"] = picked(generator, day.broker.organisation.branches, count)
    clients["open_date"] = _open_dates(day, generator, count)
    clients["wealth"] = _wealth(generator, clients)
    is_person = clients["client_kind"] == "person"
    day.emit(
        ev.ClientOpened,
        system="NOR",
        client_number=clients["client_number"].to_numpy(),
        **{name: clients[name].to_numpy() for name in PEOPLE_COLUMNS},
        identity_expiry_date=_expiries(day, generator, count, is_person.to_numpy(), 3_000),
        manager_client_number=None if managers is None else managers,
        branch_id=clients["branch_id"].to_numpy(),
        risk_level=picked(generator, RISK_LEVELS, count, RISK_WEIGHTS),
        risk_test_expiry_date=_expiries(day, generator, count, np.ones(count, dtype=bool), 700),
        status=_statuses(generator, count),
        open_date=clients["open_date"].to_numpy(),
        close_date=None,
    )
    return clients


def _wealth(generator, clients) -> np.ndarray:
    """Yuan, whole: lognormal, thirty times as much for firms and products."""
    wealth = np.exp(generator.normal(WEALTH_LOG_MEAN, WEALTH_LOG_DEVIATION, len(clients)))
    factor = np.where(clients["client_kind"] == "person", 1, 30)
    return np.minimum(wealth * factor, WEALTH_LIMIT).astype(np.int64)


def _open_dates(day, generator, count) -> np.ndarray:
    today = np.datetime64(day.date)
    if not day.is_opening:
        return np.full(count, today)
    return today - generator.integers(30, 7_000, count)


def _expiries(day, generator, count, has_one, span) -> np.ndarray:
    dates = np.datetime64(day.date) + generator.integers(-60, span, count)
    dates[~has_one | chosen(generator, count, 0.05)] = np.datetime64("NaT")
    return dates


def _statuses(generator, count) -> np.ndarray:
    return picked(generator, ["active", "frozen", "dormant"], count, [0.95, 0.01, 0.04])


def _open_normal_accounts(day, generator, clients) -> pd.DataFrame:
    """Main account of every client, auxiliary ones of some, and the securities accounts of the mains."""
    mains = clients[["client_number", "branch_id", "open_date", "wealth", "client_kind"]].copy()
    count = len(mains)
    mains["account_id"] = day.take("main", count)
    mains["role"] = "main"
    auxiliary = mains[chosen(generator, count, AUXILIARY_SHARE)].copy()
    auxiliary["account_id"] = day.take("auxiliary", len(auxiliary))
    auxiliary["role"] = "auxiliary"
    accounts = pd.concat([mains, auxiliary], ignore_index=True)
    emit_accounts(day, "normal", "NOR", accounts, role=accounts["role"].to_numpy())
    relate_accounts(day, generator, "normal", accounts["account_id"].to_numpy())
    mains["sse"], mains["szse"] = day.take("sse_holder", count), day.take("szse_holder", count)
    for name, series, share in (("sse_b", "sse_b_holder", B_SHARE_SHARE), ("szse_b", "szse_b_holder", B_SHARE_SHARE)):
        has = chosen(generator, count, share)
        mains[name] = None
        mains.loc[has, name] = day.take(series, int(has.sum()))
    mains["bse"] = np.where(chosen(generator, count, BSE_SHARE), mains["szse"], None)
    mains["hk"] = np.where(chosen(generator, count, HK_SHARE), mains["sse"], None)
    for name, exchange in HOLDER_EXCHANGES.items():
        _emit_securities_accounts(day, mains[mains[name].notna()], name, exchange)
    _agree_rates(day, generator, mains)
    mains_and_auxiliary = pd.concat([mains, auxiliary], ignore_index=True)
    return mains_and_auxiliary


HOLDER_EXCHANGES = {
    "sse": "SSE",
    "szse": "SZSE",
    "bse": "BSE",
    "sse_b": "SSE_B",
    "szse_b": "SZSE_B",
    "hk": "HK_SH",
}


def _emit_securities_accounts(day, holders, name, exchange) -> None:
    day.emit(
        ev.SecuritiesAccountSet,
        securities_account_id=holders[name].to_numpy(),
        exchange_code=exchange,
        account_id=holders["account_id"].to_numpy(),
        status="active",
        open_date=holders["open_date"].to_numpy(),
        close_date=None,
    )


def _agree_rates(day, generator, mains) -> None:
    count = len(mains)
    rates, includes = picked(generator, STOCK_RATES, count).astype(np.int64), chosen(generator, count, 0.6)
    trades_funds, trades_bonds = (
        chosen(generator, count, FUND_TRADER_SHARE),
        chosen(generator, count, BOND_TRADER_SHARE),
    )
    everybody = np.ones(count, dtype=bool)
    has = {name: mains[name].notna().to_numpy() for name in ("bse", "sse_b", "szse_b", "hk")}
    accounts = mains["account_id"].to_numpy()
    agreed_on = np.maximum(mains["open_date"].to_numpy().astype("datetime64[D]"), np.datetime64("2024-01-02"))
    for product_class, exchange, who, rate, minimum in (
        ("stock", "SSE", everybody, rates, MINIMUM_COMMISSION),
        ("stock", "SZSE", everybody, rates, MINIMUM_COMMISSION),
        ("stock", "BSE", has["bse"], rates + 5_000, MINIMUM_COMMISSION),
        ("fund", "SSE", trades_funds, np.minimum(rates, 10_000), 10),
        ("fund", "SZSE", trades_funds, np.minimum(rates, 10_000), 10),
        ("bond", "SSE", trades_bonds, np.full(count, 1_000), 0),
        ("bond", "SZSE", trades_bonds, np.full(count, 5_000), 0),
        ("b_share", "SSE_B", has["sse_b"], rates + 50_000, 100),
        ("b_share", "SZSE_B", has["szse_b"], rates + 50_000, MINIMUM_COMMISSION),
        ("hk_stock", "HK_SH", has["hk"], rates + 5_000, MINIMUM_COMMISSION),
    ):
        emit_rates(day, accounts[who], product_class, exchange, agreed_on[who], rate[who], minimum, includes[who])


def emit_rates(day, accounts, product_class, exchange, effective, rate, minimum, includes, expiry=None) -> None:
    """Agreed rates of many accounts for one product class and exchange."""
    day.emit(
        ev.AgreedRateSet,
        account_id=accounts,
        product_class=product_class,
        exchange_code=exchange,
        effective_date=effective,
        commission_rate=rate,
        minimum_commission_amount=minimum,
        includes_regulatory_fee=includes,
        expiry_date=expiry,
    )


def _fund_normal_accounts(day, generator, accounts) -> None:
    """Cash in every account, and on the opening day what the mains hold."""
    cash = accounts["wealth"].to_numpy() * generator.integers(3, 41, len(accounts)) + generator.integers(
        0, 100, len(accounts)
    )
    cash = np.where(accounts["role"] == "auxiliary", cash // 8, cash)
    pay_in(day, "normal", accounts["account_id"].to_numpy(), "CNY", cash, picked(generator, BANKS, len(accounts)))
    if not day.is_opening:
        return
    frozen = chosen(generator, len(accounts), FROZEN_CASH_SHARE)
    day.emit(
        ev.CashFrozenSet,
        line="normal",
        account_id=accounts["account_id"].to_numpy()[frozen],
        currency_code="CNY",
        frozen_amount=cash[frozen] // 10,
    )
    mains = accounts[accounts["role"] == "main"]
    for name, currency in (("sse_b", "USD"), ("szse_b", "HKD"), ("hk", "HKD")):
        holders = mains[mains[name].notna()]
        amounts = holders["wealth"].to_numpy() * generator.integers(1, 11, len(holders))
        pay_in(day, "normal", holders["account_id"].to_numpy(), currency, amounts, None)
    for name, product_classes, average in (
        ("sse", ("stock", "stock", "stock", "fund", "bond"), 1.3),
        ("szse", ("stock", "stock", "stock", "fund", "bond"), 1.1),
        ("bse", ("stock",), 0.6),
        ("sse_b", ("b_share",), 1.0),
        ("szse_b", ("b_share",), 1.0),
        ("hk", ("hk_stock",), 1.0),
    ):
        holders = mains[mains[name].notna()]
        for product_class in sorted(set(product_classes)):
            part = average * product_classes.count(product_class) / len(product_classes)
            _open_positions(day, generator, "normal", holders, name, product_class, part)


def pay_in(day, line, accounts, currency, amounts, banks) -> None:
    """Opening balance on the baseline, a bank transfer on any other day."""
    day.emit(
        ev.CashMoved,
        line=line,
        account_id=accounts,
        currency_code=currency,
        business="opening_balance" if day.is_opening else "bank_transfer_in",
        amount=amounts,
        trade_id=None,
        bank_code=None if day.is_opening else banks,
    )


def _open_positions(day, generator, line, holders, holder_name, product_class, average) -> None:
    exchange = HOLDER_EXCHANGES[holder_name]
    places = day.market.tradable_places(product_class, exchange)
    count = generator.poisson(average, len(holders))
    rows = np.repeat(np.arange(len(holders)), count)
    if not len(rows) or not len(places):
        return
    place = picked(generator, places, len(rows))
    _, first = np.unique(rows * len(day.market.prices) + place, return_index=True)
    rows, place = rows[first], place[first]
    value = holders["wealth"].to_numpy()[rows] * generator.integers(5, 60, len(rows))
    lots = np.maximum(1, value * 100 // (day.market.prices[place] * 100))
    emit_opening_positions(
        day,
        generator,
        line,
        holders["account_id"].to_numpy()[rows],
        holders[holder_name].to_numpy()[rows],
        place,
        lots * 100,
    )


def emit_opening_positions(day, generator, line, accounts, holders, place, quantity) -> None:
    """Positions of the opening baseline, cost near today's value, a few partly restricted."""
    restricted = chosen(generator, len(place), RESTRICTED_SHARE if line == "normal" else 0)
    value = quantity * day.market.prices[place] // 100
    day.emit(
        ev.SecuritiesMoved,
        line=line,
        account_id=accounts,
        securities_account_id=holders,
        exchange_code=day.market.securities["exchange_code"].to_numpy()[place],
        security_code=day.market.securities["security_code"].to_numpy()[place],
        business="opening_balance",
        quantity=quantity,
        restricted_quantity=np.where(restricted, quantity // 200 * 100, 0),
        cost_amount=value * generator.integers(75, 126, len(place)) // 100,
    )


# ---------------------------------------------------------------- shared by all lines


def emit_accounts(day, line, system, accounts, **extra) -> None:
    """Open accounts of one line; `extra` gives role, credit lines or transfer-agent account."""
    fields = {"role": None, "call_line": None, "close_out_line": None, "ta_account_id": None, **extra}
    day.emit(
        ev.AccountOpened,
        line=line,
        account_id=accounts["account_id"].to_numpy(),
        system=system,
        client_number=accounts["client_number"].to_numpy(),
        branch_id=accounts["branch_id"].to_numpy(),
        status="active",
        open_date=accounts["open_date"].to_numpy(),
        close_date=None,
        **fields,
    )


def relate_accounts(day, generator, line, accounts) -> None:
    """Staff of many accounts by the patterns; the first employee is the main servant."""
    patterns = generator.choice(len(RELATION_PATTERNS), len(accounts), p=[share for share, _ in RELATION_PATTERNS])
    employees = day.broker.organisation.employees
    first = generator.integers(0, len(employees), len(accounts))
    effective = np.datetime64(day.date) - generator.integers(0, 900, len(accounts))
    # A few relations are delivered before they take effect.
    effective = np.where(chosen(generator, len(accounts), 0.01), np.datetime64(day.date) + 2, effective)
    approved = np.where(chosen(generator, len(accounts), 0.2), np.datetime64("NaT"), effective - 1)
    for pattern, (_, ratios) in enumerate(RELATION_PATTERNS):
        rows = np.flatnonzero(patterns == pattern)
        for place, ratio in enumerate(ratios):
            day.emit(
                ev.RelationSet,
                account_id=accounts[rows],
                business_line=line,
                employee_id=employees[(first[rows] + 3 * place) % len(employees)],
                relation_kind=("service", "development", "broker")[place],
                is_main_service=place == 0,
                pay_ratio=ratio,
                effective_date=effective[rows],
                approved_date=approved[rows],
            )


def _open_members(day, generator, clients, share, system, series) -> pd.DataFrame:
    """A client number and an account on another counter for some of these clients."""
    chosen_rows = chosen(generator, len(clients), share)
    members = clients[chosen_rows].copy()
    members["client_number"] = day.take(system, len(members))
    members["account_id"] = day.take(series, len(members))
    members["open_date"] = _later_open_dates(day, generator, members["open_date"].to_numpy())
    emit_members(day, system, members)
    return members


def _later_open_dates(day, generator, first) -> np.ndarray:
    """Nobody opens on another counter before the normal one, or after today."""
    later = first.astype("datetime64[D]") + generator.integers(0, 1_500, len(first))
    return np.minimum(later, np.datetime64(day.date))


def emit_members(day, system, members) -> None:
    """Clients of the credit, option and fund counters: name, document and phone only."""
    day.emit(
        ev.ClientOpened,
        system=system,
        client_number=members["client_number"].to_numpy(),
        **{name: members[name].to_numpy() for name in PEOPLE_COLUMNS},
        identity_expiry_date=None,
        manager_client_number=None,
        branch_id=None,
        risk_level=None,
        risk_test_expiry_date=None,
        status="active",
        open_date=members["open_date"].to_numpy(),
        close_date=None,
    )


# ---------------------------------------------------------------- credit, option, fund


def credit_holder(account: np.ndarray, exchange: str) -> np.ndarray:
    """The credit securities account belonging to a credit account."""
    prefix, digits = ("E", 9) if exchange == "SSE" else ("06", 8)
    return np.array([prefix + number[-digits:] for number in account], dtype=object)


def _open_credit(day, generator, clients) -> None:
    members = _open_members(day, generator, clients, CREDIT_SHARE, "CRD", "credit")
    count = len(members)
    if not count:
        return
    lines = np.array(CALL_LINES, dtype=object)[generator.integers(0, len(CALL_LINES), count)]
    emit_accounts(day, "credit", "CRD", members, call_line=lines[:, 0], close_out_line=lines[:, 1])
    accounts = members["account_id"].to_numpy()
    relate_accounts(day, generator, "credit", accounts)
    rates = picked(generator, STOCK_RATES, count).astype(np.int64)
    includes = chosen(generator, count, 0.5)
    for exchange in ("SSE", "SZSE"):
        emit_rates(day, accounts, "stock", exchange, np.datetime64("2024-01-02"), rates, MINIMUM_COMMISSION, includes)
    if not day.is_opening:
        return
    wealth = members["wealth"].to_numpy()
    cash = wealth * generator.integers(2, 12, count) + generator.integers(0, 100, count)
    pay_in(day, "credit", accounts, "CNY", cash, None)
    members["sse"], members["szse"] = credit_holder(accounts, "SSE"), credit_holder(accounts, "SZSE")
    _open_positions(day, generator, "credit", members, "sse", "stock", 1.5)
    _open_positions(day, generator, "credit", members, "szse", "stock", 1.0)
    _open_contracts(day, generator, accounts, wealth)


def _open_contracts(day, generator, accounts, wealth) -> None:
    borrows = chosen(generator, len(accounts), 0.6)
    accounts, wealth = accounts[borrows], wealth[borrows]
    count = len(accounts)
    is_short = chosen(generator, count, 0.15)
    places = day.market.tradable_places("stock", "SSE")
    place = picked(generator, places, count)
    amount = wealth * generator.integers(3, 30, count)
    quantity = np.maximum(1, amount // (day.market.prices[place])) * 100
    opened = np.datetime64(day.date) - generator.integers(3, 150, count)
    day.emit(
        ev.CreditContractSet,
        contract_id=day.take("contract", count),
        account_id=accounts,
        contract_kind=np.where(is_short, "short", "financing").astype(object),
        exchange_code="SSE",
        security_code=day.market.securities["security_code"].to_numpy()[place],
        open_date=opened,
        due_date=opened + 180,
        outstanding_principal_amount=np.where(is_short, 0, amount),
        outstanding_quantity=np.where(is_short, quantity, 0),
        outstanding_fee_amount=np.where(is_short, 0, amount // 4_000),
        unpaid_interest_amount=np.where(is_short, 0, amount // 500),
        penalty_amount=0,
        annual_rate=picked(generator, [5_800_000, 6_350_000, 7_200_000, 8_350_000], count).astype(np.int64),
        waived_interest_amount=0,
    )


def _open_options(day, generator, clients) -> None:
    members = _open_members(day, generator, clients, OPTION_SHARE, "OPT", "option")
    count = len(members)
    if not count:
        return
    emit_accounts(day, "option", "OPT", members)
    accounts = members["account_id"].to_numpy()
    relate_accounts(day, generator, "option", accounts)
    prices = picked(generator, [300_000_000, 500_000_000, 700_000_000], count).astype(np.int64)
    for exchange in ("SSE", "SZSE"):
        emit_rates(day, accounts, "option", exchange, np.datetime64("2024-01-02"), prices, 0, True)
    if not day.is_opening:
        return
    cash = members["wealth"].to_numpy() * generator.integers(3, 15, count) + 2_000_000
    pay_in(day, "option", accounts, "CNY", cash, None)
    _open_option_positions(day, generator, accounts, cash)


def _open_option_positions(day, generator, accounts, cash) -> None:
    """One long or short series each; margin stays within a third of the cash."""
    holds = np.flatnonzero(chosen(generator, len(accounts), 0.7))
    contracts = day.market.live_options(day.date)
    later = contracts[contracts["expiry_date"] > contracts["expiry_date"].min()]
    rows = picked(generator, np.arange(len(later)), len(holds))
    margins = np.array([day.market.option_margin(row, day.date) for row in later.itertuples()], dtype=np.int64)[rows]
    is_short = chosen(generator, len(holds), 0.4)
    quantity = np.maximum(1, cash[holds] // 3 // margins)
    is_short &= margins * quantity <= cash[holds] // 2
    margin = np.where(is_short, margins * quantity, 0)
    day.emit(
        ev.OptionPositionSet,
        account_id=accounts[holds],
        contract_code=later["contract_code"].to_numpy()[rows],
        position_side=np.where(is_short, "short", "long").astype(object),
        quantity=quantity,
        margin_amount=margin,
    )
    day.emit(
        ev.OptionMarginSet,
        account_id=accounts[holds][is_short],
        currency_code="CNY",
        occupied_margin_amount=margin[is_short],
        exchange_margin_amount=margin[is_short] * 10 // 12,
    )


def _open_funds(day, generator, clients) -> None:
    members = _open_members(day, generator, clients, FUND_SHARE, "FND", "fund")
    count = len(members)
    if not count:
        return
    registered = np.where(chosen(generator, count, 0.05), None, day.take("transfer_agent", count))
    emit_accounts(day, "fund", "FND", members, ta_account_id=registered)
    accounts = members["account_id"].to_numpy()
    relate_accounts(day, generator, "fund", accounts)
    if not day.is_opening:
        return
    codes = [code for code in day.market.navs if code not in (NEW_FUND[0], ENDED_FUND)]
    rows = np.repeat(np.arange(count), generator.integers(0, 4, count))
    product = picked(generator, np.arange(len(codes)), len(rows))
    _, first = np.unique(rows * 1_000 + product, return_index=True)
    rows, product = rows[first], product[first]
    code = np.array(codes, dtype=object)[product]
    nav = np.array([day.market.navs[code] for code in codes], dtype=np.int64)[product]
    amount = members["wealth"].to_numpy()[rows] * generator.integers(5, 40, len(rows))
    shares = amount * 10_000 // nav
    share_class = picked(generator, ["A", "A", "C"], len(rows))
    day.emit(
        ev.FundHoldingMoved, account_id=accounts[rows], product_code=code, share_class=share_class, quantity=shares
    )
    is_money = np.isin(code.astype(str), ["000806", "000807"])
    day.emit(
        ev.FundHoldingDetailSet,
        account_id=accounts[rows][is_money],
        product_code=code[is_money],
        share_class=share_class[is_money],
        undistributed_income_amount=shares[is_money] // 20_000,
        frozen_quantity=np.where(chosen(generator, int(is_money.sum()), 0.05), shares[is_money] // 10, 0),
    )
