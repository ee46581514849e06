"""Securities, prices, exchange rates, fund products and option contracts of the invented market.

Prices are integers in 1/10000 yuan and move by whole basis points, so no float ever touches them.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.events import EventLog
from simulator.fees import announced_rows, statutory_rows
from simulator.randomness import picked, stream

PRODUCT_CLASS = {
    "stock": "stock",
    "b_share": "b_share",
    "fund": "fund",
    "bond": "bond",
    "convertible_bond": "bond",
    "repo": "bond",
    "hk_stock": "hk_stock",
}
TICK = {"stock": 100, "b_share": 10, "fund": 10, "bond": 10, "convertible_bond": 10, "repo": 50, "hk_stock": 100}
DAILY_MOVE_BASIS_POINTS = 350
NAME_HEADS = [
    "华岭",
    "沧海",
    "北屿",
    "青禾",
    "远川",
    "恒澈",
    "明峤",
    "云岫",
    "嘉澜",
    "启衡",
    "中砺",
    "东沐",
    "南岚",
    "西珞",
]
NAME_TAILS = [
    "科技",
    "股份",
    "电力",
    "医药",
    "银行",
    "证券",
    "材料",
    "能源",
    "软件",
    "食品",
    "机械",
    "航运",
    "半导",
    "环保",
]

# exchange, code, name, kind, currency, opening price in 1/10000
_FIXED: tuple[tuple[str, str, str, str, str, int], ...] = (
    ("SSE", "510050", "五十ETF", "fund", "CNY", 28_150),
    ("SSE", "510300", "三百ETF", "fund", "CNY", 41_020),
    ("SZSE", "159915", "创业ETF", "fund", "CNY", 22_310),
    ("SZSE", "159919", "深三百ETF", "fund", "CNY", 42_130),
    ("SSE", "019701", "国债2601", "bond", "CNY", 1_003_200),
    ("SSE", "113050", "华岭转债", "convertible_bond", "CNY", 1_184_300),
    ("SZSE", "123050", "沧海转债", "convertible_bond", "CNY", 1_092_100),
    ("SSE", "204001", "GC001", "repo", "CNY", 18_500),
    ("SZSE", "131810", "Ｒ-001", "repo", "CNY", 17_800),
    ("SSE_B", "900901", "云岫Ｂ股", "b_share", "USD", 5_120),
    ("SSE_B", "900902", "明峤Ｂ股", "b_share", "USD", 3_480),
    ("SZSE_B", "200011", "嘉澜Ｂ", "b_share", "HKD", 31_200),
    ("SZSE_B", "200012", "启衡Ｂ", "b_share", "HKD", 8_650),
    ("HK_SH", "00811", "澜海控股", "hk_stock", "HKD", 3_812_000),
    ("HK_SH", "02711", "远川国际", "hk_stock", "HKD", 92_500),
    ("HK_SZ", "03911", "北屿集团", "hk_stock", "HKD", 411_000),
    ("SSE", "600001", "华岭银行", "stock", "CNY", 101_200),
    ("SSE", "600002", "沧海能源", "stock", "CNY", 254_800),
    ("SSE", "688001", "中砺半导", "stock", "CNY", 1_208_600),
    ("SZSE", "000001", "东沐科技", "stock", "CNY", 87_300),
    ("SZSE", "300001", "南岚医药", "stock", "CNY", 446_500),
    ("BSE", "920001", "西珞材料", "stock", "CNY", 153_400),
)
IPO_STOCK = ("SSE", "688900")
SUSPENDED_STOCK = ("SZSE", "000002")
DELISTED_STOCK = ("SSE", "600003")
UNPRICED_STOCK = ("SZSE", "000003")
RENAMED_STOCK = ("SZSE", "300001")
_STAGED: tuple[tuple[str, str, str, str, str, int], ...] = (
    (*IPO_STOCK, "启衡软件", "stock", "CNY", 320_000),
    (*SUSPENDED_STOCK, "北屿航运", "stock", "CNY", 64_200),
    (*DELISTED_STOCK, "退市青禾", "stock", "CNY", 3_100),
    (*UNPRICED_STOCK, "停牌环保", "stock", "CNY", 51_500),
)
IPO_ANNOUNCED_DAY, IPO_LISTED_DAY = 1, 4
SUSPENDED_DAY, UNPRICED_FROM_DAY, RENAMED_DAY, DELISTED_DAY = 2, 3, 2, 4
FOREIGN_RATES = {"USD": 712_650_000, "HKD": 91_540_000}
CONTRACT_UNIT = 10_000
UNDERLYINGS = (("SSE", "510050"), ("SZSE", "159919"))
EXPIRING_DAY = 3

# code, name, kind, risk, currency, manager, yearly fee in 10^-8, NAV in 1/10000
_FUNDS: tuple[tuple[str, str, str, str, str, str | None, int | None, int], ...] = (
    ("000801", "远川成长混合", "equity_fund", "R3", "CNY", "远川基金管理有限公司", 1_200_000, 15_320),
    ("000802", "澜海价值精选", "equity_fund", "R4", "CNY", "澜海基金管理有限公司", 1_200_000, 9_841),
    ("000803", "青禾沪深指数", "equity_fund", "R3", "CNY", "青禾基金管理有限公司", 500_000, 12_077),
    ("000804", "云岫稳健债券", "bond_fund", "R2", "CNY", "云岫基金管理有限公司", 300_000, 10_952),
    ("000805", "恒澈纯债", "bond_fund", "R2", "CNY", "恒澈基金管理有限公司", 300_000, 11_203),
    ("000806", "澜海日日盈货币", "money_fund", "R1", "CNY", "澜海基金管理有限公司", 150_000, 10_000),
    ("000807", "远川现金宝货币", "money_fund", "R1", "CNY", "远川基金管理有限公司", 150_000, 10_000),
    ("SX0101", "明峤稳进一号私募", "private_fund", "R5", "CNY", "明峤私募基金管理有限公司", 2_000_000, 13_456),
    ("SX0102", "沧澜量化二号私募", "private_fund", "R5", "CNY", None, None, 8_790),
    ("SYP001", "固收收益凭证1号", "income_certificate", "R1", "CNY", None, None, 10_000),
    ("AM0001", "江岭丰利资管计划", "asset_management", "R3", "CNY", "江岭资产管理有限公司", 600_000, 10_310),
    ("AM0002", "江岭到期资管计划", "asset_management", "R2", "CNY", "江岭资产管理有限公司", 600_000, 10_020),
    ("000901", "北屿全球美元债", "bond_fund", "R3", "USD", "北屿基金管理有限公司", 700_000, 10_884),
)
LATE_NAV_FUND, NEW_FUND, ENDED_FUND = "SX0102", ("000808", "青禾科技创新"), "AM0002"
NEW_FUND_DAY, ENDED_FUND_DAY, UPGRADED_FUND_DAY = 2, 4, 3
CERTIFICATE = "SYP001"


class Market:
    """The market of one day; `advance` moves it to the next."""

    def __init__(self, seed: int, customers: int, sessions: list[dt.date]) -> None:
        self._seed = seed
        self._sessions = sessions
        self._day_index = 0
        self.securities = _securities(seed, min(1500, 40 + customers // 60), sessions[0])
        self.prices = self.securities["opening_price"].to_numpy().copy()
        self._place = {
            key: place
            for place, key in enumerate(zip(self.securities.exchange_code, self.securities.security_code, strict=True))
        }
        self.foreign_rates = dict(FOREIGN_RATES)
        self.navs = {code: nav for code, *_, nav in _FUNDS}
        self.navs[NEW_FUND[0]] = 10_000
        self.options = _option_contracts(self, sessions)

    def advance(self) -> None:
        """One session on: every price moves, within ten percent."""
        self._day_index += 1
        generator = stream(self._seed, "market", self._day_index)
        moves = generator.integers(-DAILY_MOVE_BASIS_POINTS, DAILY_MOVE_BASIS_POINTS + 1, len(self.prices))
        ticks = self.securities["tick"].to_numpy()
        moved = self.prices * (10_000 + moves) // 10_000 // ticks * ticks
        self.prices = np.maximum(moved, ticks)
        for currency, rate in self.foreign_rates.items():
            self.foreign_rates[currency] = (
                rate * (100_000 + int(generator.integers(-150, 151))) // 100_000 // 10_000 * 10_000
            )
        for code, nav in self.navs.items():
            still = code == CERTIFICATE or (nav == 10_000 and code in ("000806", "000807"))
            self.navs[code] = nav if still else nav * (10_000 + int(generator.integers(-120, 131))) // 10_000

    # ------------------------------------------------------------ look-ups

    def place_of(self, exchange: str, code: str) -> int:
        return self._place[exchange, code]

    def price_of(self, exchange: str, code: str) -> int:
        """Close in 1/10000 of the security's currency."""
        return int(self.prices[self._place[exchange, code]])

    def places_of(self, exchanges: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return np.array([self._place[key] for key in zip(exchanges, codes, strict=True)], dtype=np.int64)

    def tradable_places(self, product_class: str, exchange: str) -> np.ndarray:
        """Securities anybody may buy today."""
        table = self.securities
        fits = (table.product_class == product_class) & (table.exchange_code == exchange)
        return np.flatnonzero(fits & ~table.is_staged & (table.security_kind != "repo"))

    def has_price(self, place: int) -> bool:
        """Whether a close is published today."""
        key = (self.securities.exchange_code[place], self.securities.security_code[place])
        if key == IPO_STOCK:
            return self._day_index >= IPO_LISTED_DAY
        if key == SUSPENDED_STOCK:
            return self._day_index != SUSPENDED_DAY
        if key == UNPRICED_STOCK:
            return self._day_index < UNPRICED_FROM_DAY
        if key == DELISTED_STOCK:
            return self._day_index < DELISTED_DAY
        return True

    # ------------------------------------------------------------ publishing

    def publish(self, log: EventLog, today: dt.date) -> None:
        """All published events of the day."""
        self._publish_securities(log, today)
        self._publish_exchange_rates(log, today)
        self._publish_funds(log, today)
        self._publish_options(log, today)
        rows = statutory_rows() + announced_rows(self._day_index, today)
        columns = [list(column) for column in zip(*rows, strict=True)]
        names = ("fee_kind", "product_class", "exchange_code", "side", "effective_date", "rate")
        log.emit(today, ev.StatutoryRatePublished, **dict(zip(names, columns, strict=True)))

    def _publish_securities(self, log: EventLog, today: dt.date) -> None:
        table = self.securities
        keys = list(zip(table.exchange_code, table.security_code, strict=True))
        master = np.array([self._is_in_master(key) for key in keys])
        names = table.security_name.to_numpy().copy()
        listed = table.listed_date.to_numpy().astype("datetime64[D]").copy()
        if self._day_index >= RENAMED_DAY:
            names[self._place[RENAMED_STOCK]] = "ST南岚"
        ipo = self._place[IPO_STOCK]
        listed[ipo] = np.datetime64(today) if self._day_index == IPO_LISTED_DAY else listed[ipo]
        if self._day_index > IPO_LISTED_DAY:
            listed[ipo] = np.datetime64(self._sessions[IPO_LISTED_DAY])
        log.emit(
            today,
            ev.SecurityPublished,
            exchange_code=table.exchange_code.to_numpy()[master],
            security_code=table.security_code.to_numpy()[master],
            security_name=names[master],
            security_kind=table.security_kind.to_numpy()[master],
            currency_code=table.currency_code.to_numpy()[master],
            listed_date=listed[master],
        )
        priced = np.array([self.has_price(place) for place in range(len(keys))]) & (table.security_kind != "repo")
        source = np.where(np.arange(len(keys)) % 7 == self._day_index % 7, None, "exchange close")
        log.emit(
            today,
            ev.PricePublished,
            exchange_code=table.exchange_code.to_numpy()[priced],
            security_code=table.security_code.to_numpy()[priced],
            close_price=self.prices[priced],
            price_source=source[priced],
        )

    def _is_in_master(self, key: tuple[str, str]) -> bool:
        if key == IPO_STOCK:
            return self._day_index >= IPO_ANNOUNCED_DAY
        return key != DELISTED_STOCK or self._day_index < DELISTED_DAY

    def _publish_exchange_rates(self, log: EventLog, today: dt.date) -> None:
        """Central parity every day; the dollar's settlement rate only while it is quoted."""
        for currency, rate in self.foreign_rates.items():
            kinds = {"central_parity": rate, "settlement": rate * 10_015 // 10_000}
            if currency == "USD" and self._day_index not in (1, 2, 3):
                del kinds["settlement"]
            for kind, value in kinds.items():
                log.emit(
                    today,
                    ev.ExchangeRatePublished,
                    currency_code=currency,
                    rate_kind=kind,
                    exchange_rate=value,
                    rate_date=today,
                )

    def _publish_funds(self, log: EventLog, today: dt.date) -> None:
        for code, name, kind, risk, currency, manager, fee, _ in self._funds_today():
            log.emit(
                today,
                ev.FundProductPublished,
                product_code=code,
                product_name=name,
                product_kind=kind,
                risk_level=risk,
                currency_code=currency,
                manager_name=manager,
                management_fee_rate=fee,
                maturity_date=self._sessions[-1] if code == CERTIFICATE else None,
            )
            if self.has_nav(code):
                log.emit(today, ev.NavPublished, product_code=code, nav_date=today, nav=self.navs[code])

    def has_nav(self, code: str) -> bool:
        """A private fund publishes every second day, an income certificate never."""
        if code == CERTIFICATE:
            return False
        return code != LATE_NAV_FUND or self._day_index % 2 == 0

    def _funds_today(self) -> list[tuple]:
        funds = [list(fund) for fund in _FUNDS if fund[0] != ENDED_FUND or self._day_index < ENDED_FUND_DAY]
        if self._day_index >= NEW_FUND_DAY:
            funds.append([*NEW_FUND, "equity_fund", "R4", "CNY", "青禾基金管理有限公司", 1_200_000, 10_000])
        for fund in funds:
            if fund[0] == LATE_NAV_FUND and self._day_index >= UPGRADED_FUND_DAY:
                fund[5], fund[6] = "沧澜私募基金管理有限公司", 2_000_000
            if fund[0] == "000802" and self._day_index >= UPGRADED_FUND_DAY:
                fund[3] = "R5"
        return funds

    def _publish_options(self, log: EventLog, today: dt.date) -> None:
        live = self.live_options(today)
        log.emit(
            today,
            ev.OptionContractPublished,
            **{
                name: live[name].to_numpy() for name in ev.OptionContractPublished._fields if name != "settlement_price"
            },
            settlement_price=np.array([self.settlement_price(row, today) for row in live.itertuples()], dtype=np.int64),
        )

    def live_options(self, today: dt.date) -> pd.DataFrame:
        listed = self.options.first_day <= self._day_index
        return self.options[listed & (self.options.expiry_date >= today)]

    def settlement_price(self, contract, today: dt.date) -> int:
        """Intrinsic value plus time value, in 1/10000 yuan a share."""
        spot = self.price_of(contract.exchange_code, contract.underlying_code)
        sign = 1 if contract.option_kind == "call" else -1
        intrinsic = max(0, sign * (spot - contract.strike_price))
        days = (contract.expiry_date - today).days
        distance = abs(spot - contract.strike_price) * 10_000 // spot
        return (
            max(1, intrinsic + max(0, spot * (days + 2) // 2000 - spot * distance // 60_000))
            if days
            else max(1, intrinsic)
        )

    def option_margin(self, contract, today: dt.date) -> int:
        """Margin of one short contract in cents: 12 percent of the underlying less what it is out of the money."""
        spot = self.price_of(contract.exchange_code, contract.underlying_code)
        sign = 1 if contract.option_kind == "call" else -1
        out_of_money = max(0, sign * (contract.strike_price - spot))
        floor = spot if sign > 0 else contract.strike_price
        per_share = self.settlement_price(contract, today) + max(spot * 12 // 100 - out_of_money, floor * 7 // 100)
        return per_share * CONTRACT_UNIT // 100


def _securities(seed: int, generated: int, opening: dt.date) -> pd.DataFrame:
    generator = stream(seed, "securities")
    rows = [(*row, False) for row in _FIXED] + [(*row, True) for row in _STAGED]
    names = picked(generator, NAME_HEADS, generated) + picked(generator, NAME_TAILS, generated)
    prices = generator.integers(300, 6_000, generated) * 100
    for number in range(generated):
        exchange, code = [
            ("SSE", f"60{1000 + number}"),
            ("SZSE", f"00{1000 + number}"),
            ("SSE", f"60{1000 + number}"),
            ("SZSE", f"30{1000 + number}"),
            ("BSE", f"92{1000 + number}"),
        ][number % 5]
        rows.append((exchange, code, names[number], "stock", "CNY", int(prices[number]), False))
    columns = [
        "exchange_code",
        "security_code",
        "security_name",
        "security_kind",
        "currency_code",
        "opening_price",
        "is_staged",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table["product_class"] = table.security_kind.map(PRODUCT_CLASS)
    table["tick"] = table.security_kind.map(TICK)
    listed = np.datetime64("2010-01-04") + generator.integers(0, 4_000, len(table))
    table["listed_date"] = listed.astype("datetime64[s]")
    table.loc[table.security_code == IPO_STOCK[1], "listed_date"] = pd.NaT
    return table


def _option_contracts(market: Market, sessions: list[dt.date]) -> pd.DataFrame:
    """Calls and puts at five strikes for two expiries, one series expiring inside the run, one listed later."""
    rows = []
    number = 10_005_001
    expiries = [sessions[min(EXPIRING_DAY, len(sessions) - 1)], *_month_expiries(sessions[0])]
    for exchange, underlying in UNDERLYINGS:
        spot = market.price_of(exchange, underlying)
        step = 500 if spot < 30_000 else 1_000
        middle = spot // step * step
        for position, expiry in enumerate(expiries):
            for offset in range(-2, 3):
                for kind in ("call", "put"):
                    strike = middle + offset * step
                    name = f"{underlying}{'购' if kind == 'call' else '沽'}{expiry.month}月{strike}"
                    first_day = 1 if position == 2 and offset == 2 else 0
                    rows.append(
                        (f"{number}", name, exchange, underlying, kind, strike, CONTRACT_UNIT, expiry, first_day)
                    )
                    number += 1
    columns = ["contract_code", "contract_name", "exchange_code", "underlying_code", "option_kind", "strike_price"]
    return pd.DataFrame(rows, columns=[*columns, "contract_unit", "expiry_date", "first_day"])


def _month_expiries(opening: dt.date) -> list[dt.date]:
    """Fourth Wednesdays of the two months after the opening month."""
    found = []
    year, month = opening.year, opening.month
    for _ in range(2):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        first = dt.date(year, month, 1)
        found.append(first + dt.timedelta(days=(2 - first.weekday()) % 7 + 21))
    return found
