"""Opening accounts and moving things for one scripted customer at a time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import activity_advice, activity_option, activity_repurchase, identities
from simulator import events as ev
from simulator.activity_normal import move_cash, move_in_transit
from simulator.day import Broker, Day
from simulator.housekeeping import close_normal_accounts, emit_changed_accounts, emit_clients, remove_accounts
from simulator.people import PEOPLE_COLUMNS
from simulator.population import credit_holder, emit_accounts, emit_members, emit_rates, pay_in
from simulator.trading import fill_orders, rates_in_force

CANARY_KEY = "canary"
CANARY_NAME, CANARY_PHONE = "金𬭊雀", "19900010001"
AREA, BIRTH_YEAR = "110101", 1970

# key: (name, phone, why they are here)
PEOPLE: dict[str, tuple[str, str | None, str]] = {
    CANARY_KEY: (CANARY_NAME, CANARY_PHONE, "the values a leak test searches for; has all four lines"),
    "includes": ("严含费", "13900000002", "rate includes regulatory fees; floor bound and not; partial fills"),
    "excludes": ("陈净佣", "13900000003", "rate excludes regulatory fees; floor bound and not; partial fills"),
    "venues": ("周板块", "13900000004", "trades BSE, exchange fund, bond; opens and closes securities accounts"),
    "foreign": ("吴外汇", "+86 13900000005", "US and Hong Kong dollars, B shares and Hong Kong connect"),
    "lender": ("郑逆购", "13900000006", "reverse repo on both exchanges"),
    "dividend": ("冯股息", "13900000007", "dividend in transit; restricted shares released"),
    "winner": ("褚中签", "13900000008", "pays for won shares, gets them on listing"),
    "investor": ("卫基金", "13900000009", "fund purchase, subscription, redemption, income reinvested"),
    "watched": ("蒋关注", "13900000010", "margin tier watch"),
    "called": ("沈追保", "13900000011", "margin tier call"),
    "closed_out": ("韩平仓", "13900000012", "margin tier close-out; overdue contract with penalty"),
    "leveraged": ("杨融资", "13900000013", "finances, repays, sells short and returns; transfers to and fro"),
    "optioned": ("朱期权", "13900000014", "every option side; exercise and assignment"),
    "doubled": ("秦双号", "13900000015", "two client numbers, one shown with the old 15-digit ID"),
    "renewed": ("RENATA NOVAK", "13900000016", "passport renewed during the run"),
    "misread": ("尤错号", "13900000017", "an ID with a wrong check digit"),
    "misread_too": ("许错号", "13900000018", "another person shown with the same wrong ID"),
    "flickering": ("何㛃", "13900000019", "client row missing for one day, then back"),
    "early_account": ("吕先户", "13900000020", "account delivered two days before its client, and trading"),
    "leaver": ("施离开", "13900000021", "closes all four lines; gone a day later"),
    "newcomer": ("张新客", "13900000022", "opens all four lines on the second day"),
    "silent": ("孔无机", None, "without phone and risk level at first"),
    "split": ("曹三分", "13900000024", "three employees at a third each, later two"),
    "overshared": ("严超分", "13900000025", "ratios above one: all unassigned"),
    "unserved": ("阿依古丽·买买提", "13900000026", "no relation at first, one with a future date later"),
    "moved": ("金迁部", "13900000027", "client and account move to another branch; dormant, then active"),
    "overdrawn": ("魏透支", "13900000028", "balance below zero; frozen money; deposit interest"),
    "unpriced": ("陶停牌", "13900000029", "suspended, delisted and unpriced shares"),
    "fund_only": ("姜理财", "13900000030", "no normal client: only option and fund accounts"),
    "manager": ("明峤私募基金管理有限公司", "010-85550031", "institution that manages products"),
    "product_one": ("明峤稳进一号私募证券投资基金", None, "product linked with nothing but its filing"),
    "product_two": ("明峤稳进二号私募证券投资基金", None, "product whose manager is filled in later"),
}
FOREIGN_DOCUMENTS = {
    "renewed": ("passport", "P99000016"),
    "lender": ("hk_macau_permit", "H99000006"),
    "dividend": ("taiwan_permit", "99000007"),
    "winner": ("foreign_permanent_card", "USA310099000008"),
    "unpriced": ("other", "Q990000029"),
}
ORDINARY_HOLDERS = {"SSE": "sse_holder", "SZSE": "szse_holder"}


def resident_number(place: int) -> str:
    """ID of the scripted person at this place; sequences below 100 are theirs alone."""
    body = f"{AREA}{BIRTH_YEAR + place % 25}{place % 12 + 1:02d}{place % 27 + 1:02d}{place + 1:03d}"
    return body + str(identities.resident_check_digits(np.array([body], dtype=object))[0])


def canary_identity() -> dict[str, str]:
    """Name, document and phone of the scripted person who must never show up in clear."""
    place = list(PEOPLE).index(CANARY_KEY)
    return {"client_name": CANARY_NAME, "identity_number": resident_number(place), "mobile_phone": CANARY_PHONE}


class Stage:
    """Scripted persons, their accounts by (person, line) and their securities accounts by (person, exchange)."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.persons = {key: _person(place, key) for place, key in enumerate(PEOPLE)}
        self.accounts: dict[tuple[str, str], str] = {}
        self.clients: dict[tuple[str, str], str] = {}
        self.holders: dict[tuple[str, str], str] = {}
        self.lent: dict[str, list[str]] = {}
        self.advised: dict[str, str] = {}
        self.financed = self.shorted = ""

    # ------------------------------------------------------------ opening

    def open_client(self, day: Day, key: str, **changes) -> str:
        """A normal client; `changes` override columns."""
        number = day.take("NOR", 1)[0]
        self.clients[key, "NOR"] = number
        self.deliver_client(day, key, number, **changes)
        return number

    def deliver_client(self, day: Day, key: str, number: str, **changes) -> None:
        expiry = day.date + dt.timedelta(days=900)
        values = {
            **self.persons[key].iloc[0].to_dict(),
            "system": "NOR",
            "client_number": number,
            "identity_expiry_date": expiry,
            "manager_client_number": None,
            "branch_id": "0001",
            "risk_level": "C4",
            "risk_test_expiry_date": expiry,
            "status": "active",
            "open_date": _open_date(day),
            "close_date": None,
            **changes,
        }
        day.emit(ev.ClientOpened, **values)

    def open_normal(self, day: Day, key: str, cash: int = 50_000_000, includes: bool = True, **changes) -> str:
        """Client, main account, Shanghai and Shenzhen securities accounts, rates and cash. Returns the account."""
        number = self.open_client(day, key, **changes)
        account = self.open_account(day, key, "normal", "NOR", number, "main", cash)
        for exchange in ("SSE", "SZSE"):
            self.open_holder(day, key, exchange)
        for exchange in ("SSE", "SZSE"):
            self.agree(day, account, "stock", exchange, 25_000, 500, includes)
        return account

    def open_account(self, day: Day, key: str, line: str, system: str, number: str, role, cash: int, **extra) -> str:
        """One account of a line with CNY in it; known as (key, line)."""
        series = role if line == "normal" else line
        account = day.take(series, 1)[0]
        self.accounts[key, "auxiliary" if role == "auxiliary" else line] = account
        self.broker.scripted.add(account)
        branch, opened = extra.pop("branch_id", "0001"), extra.pop("open_date", _open_date(day))
        columns = {"account_id": [account], "client_number": [number], "branch_id": [branch], "open_date": [opened]}
        emit_accounts(day, line, system, pd.DataFrame(columns), role=role, **extra)
        if cash:
            pay_in(day, line, account, "CNY", cash, "B01")
        return account

    def open_holder(self, day: Day, key: str, exchange: str, status: str = "active", close_date=None) -> None:
        """A securities account; BSE shares the Shenzhen number, Hong Kong connect the Shanghai one."""
        series = {"SSE_B": "sse_b_holder", "SZSE_B": "szse_b_holder", **ORDINARY_HOLDERS}.get(exchange)
        shared = {"BSE": "SZSE", "HK_SH": "SSE"}.get(exchange)
        if (key, exchange) not in self.holders:
            self.holders[key, exchange] = self.holders[key, shared] if shared else day.take(series, 1)[0]
        day.emit(
            ev.SecuritiesAccountSet,
            securities_account_id=self.holders[key, exchange],
            exchange_code=exchange,
            account_id=self.accounts[key, "normal"],
            status=status,
            open_date=_open_date(day),
            close_date=close_date,
        )

    def agree(self, day: Day, account, product_class, exchange, rate, minimum, includes, effective=None) -> None:
        emit_rates(day, account, product_class, exchange, effective or dt.date(2024, 1, 2), rate, minimum, includes)

    def open_member(self, day: Day, key: str, line: str, cash: int = 0, **extra) -> str:
        """An account on the credit, option or fund counter with a client number there."""
        system, extra = {"credit": "CRD", "option": "OPT", "fund": "FND"}[line], dict(extra)
        number = day.take(system, 1)[0]
        self.clients[key, system] = number
        shown = {name: extra.pop(name) for name in PEOPLE_COLUMNS if name in extra}
        opened = extra.pop("open_date", dt.date(2020, 3, 2) if day.is_opening else day.date)
        member = self.persons[key].assign(client_number=number, open_date=opened, **shown)
        emit_members(day, system, member)
        if line == "credit":
            extra = {"call_line": 1_300_000, "close_out_line": 1_100_000, **extra}
        if line == "fund":
            extra = {"ta_account_id": day.take("transfer_agent", 1)[0], **extra}
        account = self.open_account(day, key, line, system, number, None, cash, open_date=opened, **extra)
        if line == "credit":
            for exchange in ("SSE", "SZSE"):
                self.holders[key, f"credit {exchange}"] = credit_holder(np.array([account]), exchange)[0]
                self.agree(day, account, "stock", exchange, 30_000, 500, False)
        if line == "option":
            for exchange in ("SSE", "SZSE"):
                self.agree(day, account, "option", exchange, 500_000_000, 0, True)
        return account

    # ------------------------------------------------------------ changing

    def change_client(self, day: Day, key: str, system: str = "NOR", **changes) -> None:
        clients = day.state["clients"]
        mine = (clients["system"] == system) & (clients["client_number"] == self.clients[key, system])
        emit_clients(day, ev.ClientChanged, clients[mine].assign(**changes))

    def change_account(self, day: Day, key: str, line: str, **changes) -> None:
        accounts = day.state["accounts"]
        mine = accounts["account_id"] == self.accounts[key, line]
        emit_changed_accounts(day, accounts[mine].assign(**changes))

    def close_everything(self, day: Day, key: str) -> None:
        """Take the cash out, close all four lines today; all of it is gone on the next session."""
        cash = day.state["cash"].set_index("account_id")["amount"]
        for line in ("normal", "credit", "option"):
            account = self.accounts[key, line]
            if cash.get(account, 0) > 0:
                move_cash(day, line, account, "bank_transfer_out", -int(cash[account]), bank_code="B01")
        close_normal_accounts(day, [self.accounts[key, "normal"]])
        for line in ("credit", "option", "fund"):
            self.change_account(day, key, line, status="closed", close_date=pd.Timestamp(day.date))

        def remove(later: Day) -> None:
            for line, system in (("credit", "CRD"), ("option", "OPT"), ("fund", "FND")):
                remove_accounts(later, line, [self.accounts[key, line]])
                later.emit(ev.ClientRemoved, system=system, client_number=self.clients[key, system])

        day.later(1, remove)

    # ------------------------------------------------------------ moving

    def hold(self, day: Day, key: str, exchange: str, code: str, quantity: int, restricted: int = 0, line="normal"):
        """A position of the opening baseline."""
        self.move_shares(day, key, exchange, code, "opening_balance", quantity, restricted, line)

    def move_shares(self, day, key, exchange, code, business, quantity, restricted=0, line="normal", cost=None) -> None:
        value = abs(quantity) * day.market.price_of(exchange, code) // 100
        day.emit(
            ev.SecuritiesMoved,
            line=line,
            account_id=self.accounts[key, line],
            securities_account_id=self.holders[key, exchange if line == "normal" else f"credit {exchange}"],
            exchange_code=exchange,
            security_code=code,
            business=business,
            quantity=quantity,
            restricted_quantity=restricted,
            cost_amount=(value if quantity > 0 else -value) if cost is None else cost,
        )

    def move_cash(self, day: Day, key: str, line: str, business: str, amount: int, currency="CNY", bank=None) -> None:
        move_cash(day, line, self.accounts[key, line], business, amount, currency=currency, bank_code=bank)

    def pay_in(self, day: Day, key: str, line: str, amount: int, currency: str = "CNY") -> None:
        pay_in(day, line, self.accounts[key, line], currency, amount, "B02")

    def lend(
        self, day: Day, key: str, kind: str, security, quantity: int, ratio: int, natural_days: int, **lines
    ) -> int:
        """Money against shares, so much that they are worth `ratio` percent of it. Returns the principal in cents."""
        value = quantity * day.market.price_of(*security) // 100
        principal, account = value * 100 // ratio, self.accounts[key, "normal"]
        contract = activity_repurchase.lend(day, account, kind, security, quantity, principal, natural_days, **lines)
        self.lent.setdefault(key, []).append(contract)
        return principal

    def advise(self, day: Day, key: str, line: str, product: str, adviser: str | None, **terms) -> None:
        """An agreement of the person's normal or fund account; the last one is known by the person's key."""
        account = self.accounts[key, "normal" if line == "advice" else "fund"]
        one = (np.array([value], dtype=object) for value in (account, product, adviser))
        self.advised[key] = activity_advice.agree(day, line, *one, **terms)[0]

    def charge(self, day: Day, key: str, kind: str, amount: int) -> None:
        """A fee for the person's agreement, taken from the normal account."""
        agreements = day.state["advice_agreements"]
        one = agreements[agreements["agreement_id"] == self.advised[key]]
        payer = np.array([self.accounts[key, "normal"]], dtype=object)
        activity_advice.charge(day, one, payer, np.array([kind], dtype=object), np.array([amount]))

    def in_transit(self, day: Day, key: str, bucket: str, amount: int) -> None:
        move_in_transit(day, self.accounts[key, "normal"], bucket, amount)

    def order(
        self, day, key, exchange, code, business, quantity, fills=1, line="normal", contract=None
    ) -> pd.DataFrame:
        """One order as a table of one row, at the rate agreed with the account."""
        account = self.accounts[key, line]
        place = day.market.place_of(exchange, code)
        product_class = day.market.securities["product_class"][place]
        rates = rates_in_force(day)
        rate = rates[
            (rates["account_id"] == account)
            & (rates["product_class"] == product_class)
            & (rates["exchange_code"] == exchange)
        ].iloc[0]
        return pd.DataFrame(
            {
                "account_id": [account],
                "securities_account_id": [self.holders[key, exchange if line == "normal" else f"credit {exchange}"]],
                "place": [place],
                "business": [business],
                "quantity": [quantity],
                "commission_rate": [rate["commission_rate"]],
                "minimum_commission_amount": [rate["minimum_commission_amount"]],
                "includes_regulatory_fee": [rate["includes_regulatory_fee"]],
                "contract_id": [contract],
                "fill_count": [fills],
            }
        )

    def trade(
        self, day, key, exchange, code, business, quantity, fills=1, line="normal", contract=None
    ) -> pd.DataFrame:
        """Execute one order today."""
        return self.fill(
            day, key, self.order(day, key, exchange, code, business, quantity, fills, line, contract), line
        )

    def fill(self, day: Day, key: str, order: pd.DataFrame, line: str = "normal") -> pd.DataFrame:
        """Execute an order that was made by `order`, and perhaps changed."""
        security = day.market.securities["security_code"][order["place"][0]]
        name = f"cast {key} {security} {order['business'][0]} {order['quantity'][0]}"
        return fill_orders(day, line, order, day.stream(name))

    def trade_option(self, day: Day, key: str, code: str, business: str, side: str, quantity: int, margin: int = 0):
        contract = day.market.options.set_index("contract_code", drop=False).loc[code]
        price = day.market.settlement_price(contract, day.date)
        one = np.array([self.accounts[key, "option"]], dtype=object)
        activity_option.trade(
            day, one, np.array([code], dtype=object), business, side, np.array([quantity]), np.array([price]), margin
        )

    def relate(self, day: Day, key: str, line: str, ratios: dict[str, int], **changes) -> None:
        """Relations of one account: employee -> ratio in 10^-8; the first is the main servant."""
        for place, (employee, ratio) in enumerate(ratios.items()):
            values = {
                "relation_kind": ("service", "development", "broker")[place % 3],
                "is_main_service": place == 0,
                "effective_date": dt.date(2024, 3, 1),
                "approved_date": dt.date(2024, 2, 20),
                **changes,
            }
            day.emit(
                ev.RelationSet,
                account_id=self.accounts[key, line],
                business_line=line,
                employee_id=employee,
                pay_ratio=ratio,
                **values,
            )

    def declare(self, day: Day, key: str, kind: str) -> None:
        """What the person's phone allows the call platform, from today."""
        day.emit(
            ev.ConsentSet,
            consent_id=day.take("consent", 1)[0],
            client_number=self.clients[key, "NOR"],
            mobile_phone=self.persons[key]["mobile_phone"][0],
            consent_kind=kind,
            recorded_date=day.date,
        )

    def unrelate(self, day: Day, key: str, line: str, employee: str) -> None:
        day.emit(ev.RelationRemoved, account_id=self.accounts[key, line], business_line=line, employee_id=employee)


def _open_date(day: Day) -> dt.date:
    return dt.date(2019, 5, 6) if day.is_opening else day.date


def _person(place: int, key: str) -> pd.DataFrame:
    name, phone, _ = PEOPLE[key]
    kind, document, number, is_valid = "person", "resident_id", resident_number(place), True
    if key in FOREIGN_DOCUMENTS:
        document, number = FOREIGN_DOCUMENTS[key]
    if key == "manager":
        kind, document, number = "institution", "unified_social_credit_code", identities.social_credit_code(900_001)
    if key.startswith("product"):
        kind, document = "product", "product_filing"
        number = identities.product_filing_code(500_000 + place)
    if key.startswith("misread"):
        first = list(PEOPLE).index("misread")
        number, is_valid = identities.with_wrong_check_digit(resident_number(first)), False
    values = [f"cast-{key}", name, kind, document, number, is_valid, number, phone]
    return pd.DataFrame([values], columns=PEOPLE_COLUMNS)
