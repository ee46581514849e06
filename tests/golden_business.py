"""The golden business scenarios: what happens to a few customers, and the figures somebody worked out by hand.

`tests/golden/business/<scenario>/scenario.yml` tells a story, the events behind it and what the truth files and the marts must say. All
scenarios together are one small broker, so that one load answers all of them. Customers have short names: `a` is a client of the normal
counter, `a.credit` its account on the credit counter; prices stay what they were last said to be.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from simulator import events as ev
from simulator import fees, identities, truth
from simulator.delivery import deliver_day
from simulator.events import EventLog, field_kinds
from simulator.feeds import EndOfDay
from simulator.state import BrokerState
from simulator.trading_calendar import sessions_from
from tests.truth_compare import CLAIMS, plain

GOLDEN = Path(__file__).parent / "golden" / "business"
START, DAYS = dt.date(2026, 9, 29), 20
# Accounts on other counters are opened behind the one of the normal counter, which therefore gives a customer its id.
LATER_OPENED = "2020-03-02"
SYSTEMS = {"normal": "NOR", "credit": "CRD", "option": "OPT", "fund": "FND"}
CLIENT_PREFIX = {"normal": "1", "credit": "3", "option": "5", "fund": "F"}
ACCOUNT_PREFIX = {"normal": "0001", "credit": "6001", "option": "7001", "fund": "9801"}
CASH_OF = {"buy": "securities_buy", "sell": "securities_sell"}
CHARGED = ("commission_amount", "stamp_duty_amount", "transfer_fee_amount", "order_fee_amount", "other_fee_amount")

Fields = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """One row of a truth file and of the mart behind it. `is_absent`: there must be none with this key."""

    file: str
    key: Fields
    values: Fields
    is_absent: bool


@dataclass
class Scenario:
    """One story. events: date → (word, fields) in order. market: securities, funds and options with their prices by date. kinds: of persons."""

    name: str
    number: int
    market: dict[str, dict[str, Fields]]
    events: dict[dt.date, list[tuple[str, Fields]]]
    expected: list[Expected] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)

    def client(self, person: str, line: str = "normal") -> str:
        """Client number of a person on a counter."""
        return f"{CLIENT_PREFIX[line]}{self.number:02d}{ord(person) - ord('a') + 1:05d}"

    def account(self, name: str) -> str:
        """Number of the account `person.line`."""
        person, _, line = name.partition(".")
        return ACCOUNT_PREFIX[line] + self.client(person)

    def customer(self, person: str) -> str:
        """The customer id a person gets; all stories begin on the normal counter."""
        return f"NOR-{self.client(person)}"

    def holder(self, person: str, exchange: str, line: str = "normal") -> str:
        digits = self.account(f"{person}.{line}")[-7:]
        prefix = {"SSE": "A" if line == "normal" else "E", "SZSE": "0", "BSE": "0"}[exchange]
        return f"{prefix}{self.number:02d}{digits}"


def read_scenarios() -> list[Scenario]:
    folders = sorted(folder for folder in GOLDEN.iterdir() if folder.is_dir())
    return [_scenario(number, folder) for number, folder in enumerate(folders, start=1)]


@cache
def _read(path: Path) -> Any:
    """YAML, which nobody changes, whose scalars are all texts: no amount is ever a float."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def _scenario(number: int, folder: Path) -> Scenario:
    told = _read(folder / "scenario.yml")
    happened = {
        dt.date.fromisoformat(day): [next(iter(event.items())) for event in events]
        for day, events in told["events"].items()
    }
    scenario = Scenario(folder.name, number, told.get("market") or {}, happened)
    for file, rows in told["expected"].items():
        for row in rows:
            cells = {name: _known_as(scenario, name, value) for name, value in row.items() if name != "absent"}
            key = {name: cells.pop(name) for name in (*CLAIMS[file].key, "customer_id") if name in cells}
            scenario.expected.append(Expected(file, key, cells, row.get("absent") == "true"))
    return scenario


def _known_as(scenario: Scenario, name: str, value: str) -> str:
    """What a short name stands for in a row."""
    if name.endswith("customer_id") and value:
        return scenario.customer(value)
    return scenario.account(value) if name == "account_id" else value


def differences(rows: dict[tuple, Fields], expected: Expected) -> Iterator[str]:
    """Sentences about a row that is not there once, or has other values. `rows`: as `truth_compare` reads them."""
    found = [row for row in rows.values() if all(row[name] == plain(value) for name, value in expected.key.items())]
    said = f"{expected.file} {expected.key}"
    if expected.is_absent:
        yield from (f"{said} should not be there" for _ in found[:1])
        return
    if len(found) != 1:
        yield f"{said} is there {len(found)} times"
        return
    for name, value in expected.values.items():
        if found[0][name] != plain(value):
            yield f"{said} {name}: by hand {value}, found {found[0][name]}"


def files_spoken_of(scenarios: list[Scenario]) -> set[str]:
    return {expected.file for scenario in scenarios for expected in scenario.expected}


def faults(scenario: Scenario, rows: dict[str, dict[tuple, Fields]]) -> str:
    """All `differences` of a scenario, a line each. `rows`: by truth file."""
    return "\n".join(
        sentence for expected in scenario.expected for sentence in differences(rows[expected.file], expected)
    )


# ---------------------------------------------------------------- what happens


def simulate(home: Path) -> None:
    """Write landing and truth of the broker that all scenarios together are."""
    scenarios, sessions = read_scenarios(), sessions_from(START, DAYS + 3)
    log, state = EventLog(), BrokerState()
    for place, today in enumerate(sessions[:DAYS]):
        log.open_day(today)
        _Day(log, today, sessions[place + 1], is_opening=place == 0).happen(scenarios)
        cash = state["cash"]
        state.apply(log, today)
        deliver_day(home / "landing", EndOfDay(today, place == 0, log, state, cash))
    truth.write(log, home / "truth")


class _Day:
    """One business date: the background, then the words of every scenario."""

    def __init__(self, log: EventLog, today: dt.date, next_session: dt.date, is_opening: bool) -> None:
        self._log, self._today, self._next, self._is_opening = log, today, next_session, is_opening
        self._defaults = _read(GOLDEN / "defaults.yml")
        self._taken: dict[str, int] = defaultdict(int)
        self._words: dict[str, Callable[[Scenario, Fields], None]] = {
            "Client": self._open_client,
            "Account": self._open_account,
            "Trade": self._trade,
            "OptionTrade": self._trade_option,
        }

    def happen(self, scenarios: list[Scenario]) -> None:
        self._publish(scenarios)
        if self._is_opening:
            for name, rows in _read(GOLDEN / "background.yml").items():
                for row in rows:
                    self._emit(scenarios[0], name, row)
        for scenario in scenarios:
            for word, told in scenario.events.get(self._today, ()):
                self._words.get(word, lambda of, fields, name=word: self._emit(of, name, fields))(scenario, told)

    def _publish(self, scenarios: list[Scenario]) -> None:
        """Reference data of the day. An option is delivered until it expires."""
        for row in fees.statutory_rows():
            names = ev.StatutoryRatePublished._fields
            self._log.emit(self._today, ev.StatutoryRatePublished, **dict(zip(names, row, strict=True)))
        for scenario in scenarios:
            for place, told in scenario.market.get("securities", {}).items():
                exchange, code = place.split()
                at = {"exchange_code": exchange, "security_code": code}
                fields = {name: value for name, value in told.items() if name != "prices"}
                self._emit(scenario, "SecurityPublished", at | fields)
                if "prices" in told:
                    self._emit(scenario, "PricePublished", at | {"close_price": self._last(told["prices"])})
            for code, told in scenario.market.get("funds", {}).items():
                fields = {name: value for name, value in told.items() if name != "navs"}
                self._emit(scenario, "FundProductPublished", {"product_code": code} | fields)
                nav = {"product_code": code, "nav_date": str(self._today), "nav": self._last(told["navs"])}
                self._emit(scenario, "NavPublished", nav)
            for code, told in scenario.market.get("options", {}).items():
                if dt.date.fromisoformat(told["expiry_date"]) >= self._today:
                    fields = {name: value for name, value in told.items() if name != "prices"}
                    price = {"settlement_price": self._last(told["prices"])}
                    self._emit(scenario, "OptionContractPublished", {"contract_code": code} | fields | price)
        rate = {"currency_code": "USD", "rate_kind": "central_parity", "exchange_rate": "7.1"}
        self._emit(scenarios[0], "ExchangeRatePublished", rate | {"rate_date": str(self._today)})

    def _last(self, prices: dict[str, str]) -> str:
        return prices[max(day for day in prices if day <= str(self._today))]

    # ------------------------------------------------------------ words

    def _open_client(self, scenario: Scenario, told: Fields) -> None:
        """A client of the normal counter with one cash account and securities accounts at three exchanges."""
        person, cash, told = told["client"], told.get("cash"), {**told}
        for name in ("client", "cash"):
            told.pop(name, None)
        number, kind = scenario.client(person), told.get("client_kind", "person")
        scenario.kinds[person] = kind
        self._emit(scenario, "ClientOpened", _person(number, kind) | {"client_number": number} | told)
        opened = {
            "line": "normal",
            "account_id": f"{person}.normal",
            "role": "main",
            "open_date": told.get("open_date"),
        }
        self._emit_account(scenario, person, opened)
        for exchange in ("SSE", "SZSE", "BSE"):
            self._emit(scenario, "SecuritiesAccountSet", {"account_id": f"{person}.normal", "exchange_code": exchange})
        if cash:
            self._pay_in(scenario, f"{person}.normal", cash)

    def _open_account(self, scenario: Scenario, told: Fields) -> None:
        """An account on another counter, which knows the person by name and document."""
        person, _, line = told["account"].partition(".")
        number, known = scenario.client(person, line), scenario.client(person)
        member = {"system": SYSTEMS[line], "client_number": number, **dict.fromkeys(_NORMAL_ONLY)}
        kind = scenario.kinds[person]
        self._emit(scenario, "ClientOpened", _person(known, kind) | {"client_kind": kind} | member)
        extra = {"open_date": LATER_OPENED} | {name: told[name] for name in told if name not in ("account", "cash")}
        if line == "credit":
            extra = {"call_line": "1.3", "close_out_line": "1.1"} | extra
        if line == "fund":
            extra = {"ta_account_id": f"98{known}00"} | extra
        self._emit_account(scenario, person, {"line": line, "account_id": told["account"], **extra})
        if told.get("cash"):
            self._pay_in(scenario, told["account"], told["cash"])

    def _emit_account(self, scenario: Scenario, person: str, told: Fields) -> None:
        line = told["line"]
        whose = {"system": SYSTEMS[line], "client_number": scenario.client(person, line)}
        self._emit(scenario, "AccountOpened", whose | {name: value for name, value in told.items() if value})

    def _pay_in(self, scenario: Scenario, account: str, amount: str) -> None:
        business = "opening_balance" if self._is_opening else "bank_transfer_in"
        if account.endswith("option") and not self._is_opening:
            business = "transfer_from_normal"
        self._emit(scenario, "CashMoved", {"account_id": account, "business": business, "amount": amount})

    def _trade(self, scenario: Scenario, told: Fields) -> None:
        """An order with its fills: cash, shares and money in transit follow from them."""
        line, (exchange, code) = told["account"].partition(".")[2], told["security"].split()
        is_sell = told["business"] in ("sell", "sell_to_repay", "reverse_repo_return")
        is_repo = told["business"].startswith("reverse_repo")
        letter = "N" if line == "normal" else "C"
        order = self._number(f"{letter}O")
        common = {"account_id": told["account"], "exchange_code": exchange, "security_code": code}
        for fill in told["fills"]:
            turnover = Decimal(fill["turnover_amount"])
            charged = sum(Decimal(fill.get(name, "0")) for name in CHARGED)
            settled = str((turnover if is_sell else -turnover) - charged)
            trade = self._number(f"{letter}T")
            numbers = {"trade_id": trade, "order_id": order, "settlement_date": str(self._next)}
            fields = common | numbers | fill | {"business": told["business"], "settlement_amount": settled}
            self._emit(scenario, "TradeFilled", fields)
            moved = {"business": CASH_OF.get(told["business"], told["business"]), "amount": settled, "trade_id": trade}
            self._emit(scenario, "CashMoved", {"account_id": told["account"], **moved})
            if is_repo:
                amount = told.get("principal_amount", str(-turnover if is_sell else turnover))
                in_transit = {"account_id": told["account"], "bucket": "repo", "amount": amount}
                self._emit(scenario, "InTransitMoved", in_transit)
            else:
                quantity = f"-{fill['quantity']}" if is_sell else fill["quantity"]
                shares = {"business": "trade", "quantity": quantity, "cost_amount": str(-Decimal(settled))}
                self._emit(scenario, "SecuritiesMoved", common | shares)

    def _trade_option(self, scenario: Scenario, told: Fields) -> None:
        """A fill of the option counter and the position it leaves."""
        pays = told["business"] in ("buy_open", "buy_close")
        turnover = Decimal(told["turnover_amount"])
        settled = str((-turnover if pays else turnover) - Decimal(told.get("commission_amount", "0")))
        numbers = {"trade_id": self._number("PT"), "order_id": self._number("PO")}
        known = {name: value for name, value in told.items() if name not in ("account", "left")}
        account = {"account_id": told["account"]}
        self._emit(scenario, "OptionTradeFilled", account | numbers | known | {"settlement_amount": settled})
        moved = {"business": "option_trade", "amount": settled, "trade_id": numbers["trade_id"]}
        self._emit(scenario, "CashMoved", account | moved)
        left = {name: told[name] for name in ("contract_code", "position_side")} | {"quantity": told["left"]}
        self._emit(scenario, "OptionPositionSet", account | left)

    def _number(self, kind: str) -> str:
        self._taken[kind] += 1
        return f"{kind}{self._today:%Y%m%d}{self._taken[kind]:08d}"

    # ------------------------------------------------------------ events

    def _emit(self, scenario: Scenario, name: str, told: Fields) -> None:
        """One event: what is told, else what `defaults.yml` says of its class; amounts become whole numbers of their scale."""
        event_class = getattr(ev, name)
        told = self._derived(scenario, event_class, dict(self._defaults.get(name) or {}) | told)
        kinds = field_kinds(event_class)
        unknown = set(told) - set(kinds)
        if unknown:
            raise ValueError(f"{scenario.name}: {name} has no {sorted(unknown)}")
        self._log.emit(
            self._today, event_class, **{one: _value(kinds[one], told.get(one)) for one in event_class._fields}
        )

    def _derived(self, scenario: Scenario, event_class: type, told: Fields) -> Fields:
        """Short names become numbers; line and securities account follow from the account."""
        account = told.get("account_id")
        if account and "." in account:
            person, _, line = account.partition(".")
            told["account_id"] = scenario.account(account)
            if "line" in event_class._fields:
                told.setdefault("line", line)
            if "business_line" in event_class._fields:
                told.setdefault("business_line", line)
            if "securities_account_id" in event_class._fields:
                told.setdefault("securities_account_id", scenario.holder(person, told["exchange_code"], line))
        for name in ("client_number", "manager_client_number", "main_client_number"):
            if told.get(name) and len(told[name]) == 1:
                told[name] = scenario.client(told[name])
        return told


_NORMAL_ONLY = ("branch_id", "risk_level", "identity_expiry_date", "risk_test_expiry_date", "manager_client_number")


def _person(number: str, kind: str) -> Fields:
    """Who a client is, the same wherever he is known: made of his number of the normal counter."""
    place = int(number) % 10_000_000
    document, identity = {
        "person": ("resident_id", str(identities.resident_numbers(place, 1)[0][0])),
        "institution": ("unified_social_credit_code", identities.social_credit_code(place)),
        "product": ("product_filing", identities.product_filing_code(place % 500_000)),
    }[kind]
    shown = {"identity_number": identity, "delivered_identity_number": identity, "identity_kind": document}
    phone = None if kind == "product" else f"138{place:08d}"
    return {"person_key": number, "client_name": f"客户{number}", "mobile_phone": phone, **shown}


def _value(kind: ev.FieldKind, text: Any) -> Any:
    if text in (None, ""):
        if kind.is_nullable:
            return None
        return {"amount": 0, "flag": False}[kind.kind]
    if kind.kind == "amount":
        scaled = Decimal(text).scaleb(kind.scale)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{text} has more than {kind.scale} decimals")
        return int(scaled)
    if kind.kind == "date":
        return dt.date.fromisoformat(text)
    return text == "true" if kind.kind == "flag" else text
