"""What happens at the invented broker: the one vocabulary that feeds and truth are both derived from.

Conventions
-----------
* Names are neutral (`SSE`, `bank_transfer_in`, `resident_id`), never a counter's delivered code.
* A yielded event holds `Decimal` for every amount, `datetime.date` for every day, `None` for absent.
* Three kinds of event, told by the last word of the name:
  - `...Moved`, `...Filled`, `...Confirmed`  a difference or an occurrence; state is the running sum;
  - `...Opened`, `...Changed`, `...Set`      absolute: the whole state of that key, in force until changed or removed;
  - `...Published`                           valid on that business date only; not published today = not known today.
  `...Removed` means: from this business date on the key is no longer delivered.
* The first date of an `EventLog` is the opening baseline: movements have business `opening_balance`, and no fills.
* Inside a day events come class by class in the order of `EVENT_ORDER`; the end-of-day state does not depend on it.
* Account lines: normal, credit, option, fund. Systems of client numbers: NOR, CRD, OPT, FND.

Inside the log amounts are integers in units of the field's scale (`Money` cents, `Price` 1/10000 yuan), held in
NumPy columns, so that a hundred thousand customers cost memory by the column; tuples are made only when iterated.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import numpy as np

Money = Annotated[Decimal, 2]
Price = Annotated[Decimal, 4]
Quantity = Annotated[Decimal, 0]
FundShares = Annotated[Decimal, 2]
Rate = Annotated[Decimal, 8]
Ratio = Annotated[Decimal, 6]


# ---------------------------------------------------------------- reference and market


class BranchSet(NamedTuple):
    """A branch as human resources lists it. status: open | closed."""

    branch_id: str
    branch_name: str
    region_name: str
    status: str


class BranchRemoved(NamedTuple):
    branch_id: str


class EmployeeSet(NamedTuple):
    """An employee and the branch he works in from this date. status: active | left."""

    employee_id: str
    employee_name: str
    branch_id: str
    status: str
    hired_date: dt.date
    left_date: dt.date | None


class EmployeeRemoved(NamedTuple):
    employee_id: str


class RelationSet(NamedTuple):
    """One employee's share in one account and business line.

    Key: (account_id, business_line, employee_id). relation_kind: development | service | broker.
    In force by its `effective_date`; `pay_ratio` is a fraction with 8 decimals.
    """

    account_id: str
    business_line: str
    employee_id: str
    relation_kind: str
    is_main_service: bool
    pay_ratio: Rate
    effective_date: dt.date
    approved_date: dt.date | None


class RelationRemoved(NamedTuple):
    account_id: str
    business_line: str
    employee_id: str


class AgreedRateSet(NamedTuple):
    """Commission agreed with one account. Key: (account_id, product_class, exchange_code, effective_date).

    For options `commission_rate` is yuan a contract. `includes_regulatory_fee`: handling and regulatory fees are
    inside the commission; otherwise they are charged on top, as `other_fee_amount` of the fill. `expiry_date`: last day of a
    preferential rate, after which the one before counts again; None when it has no end.
    """

    account_id: str
    product_class: str
    exchange_code: str
    effective_date: dt.date
    commission_rate: Rate
    minimum_commission_amount: Money
    includes_regulatory_fee: bool
    expiry_date: dt.date | None


class AgreedRateRemoved(NamedTuple):
    account_id: str
    product_class: str
    exchange_code: str
    effective_date: dt.date


class CounterRateSet(NamedTuple):
    """What a counter charges an account by from the next order on, right or wrong. Key: (account_id, product_class, exchange_code)."""

    account_id: str
    product_class: str
    exchange_code: str
    commission_rate: Rate
    minimum_commission_amount: Money
    includes_regulatory_fee: bool


class CounterRateRemoved(NamedTuple):
    account_id: str
    product_class: str
    exchange_code: str


class TargetSet(NamedTuple):
    """What a unit is to reach in a month; None where nothing is asked of it. unit_level: employee | branch | region | firm.

    Key: (target_month, unit_level, unit_id); the month is yyyy-mm.
    """

    target_month: str
    unit_level: str
    unit_id: str
    target_income_amount: Money | None
    target_inflow_amount: Money | None
    target_new_customer_count: Quantity | None


class TargetRemoved(NamedTuple):
    target_month: str
    unit_level: str
    unit_id: str


class StatutoryRatePublished(NamedTuple):
    """One dated fee rate. side: both | sell. Option fees are yuan a contract."""

    fee_kind: str
    product_class: str
    exchange_code: str
    side: str
    effective_date: dt.date
    rate: Rate


class SecurityPublished(NamedTuple):
    """Securities master of the day. security_kind: stock, b_share, fund, bond, convertible_bond, repo, hk_stock."""

    exchange_code: str
    security_code: str
    security_name: str
    security_kind: str
    currency_code: str
    listed_date: dt.date | None


class PricePublished(NamedTuple):
    """Close price in the security's own currency. A security not published today counts 0."""

    exchange_code: str
    security_code: str
    close_price: Price
    price_source: str | None


class ExchangeRatePublished(NamedTuple):
    """CNY for one unit. rate_kind: central_parity | settlement. CNY itself is not published; it is 1."""

    currency_code: str
    rate_kind: str
    exchange_rate: Rate
    rate_date: dt.date


class FundProductPublished(NamedTuple):
    """product_kind: equity_fund, bond_fund, money_fund, private_fund, income_certificate, asset_management.

    An income certificate counts at NAV 1.0000 whatever is published.
    """

    product_code: str
    product_name: str
    product_kind: str
    risk_level: str
    currency_code: str
    manager_name: str | None
    management_fee_rate: Rate | None
    maturity_date: dt.date | None


class NavPublished(NamedTuple):
    """NAV of the day. A product not published today counts 0 (income certificates excepted)."""

    product_code: str
    nav_date: dt.date
    nav: Price


class OptionContractPublished(NamedTuple):
    """Option contract master with the day's settlement price. option_kind: call | put."""

    contract_code: str
    contract_name: str
    exchange_code: str
    underlying_code: str
    option_kind: str
    strike_price: Price
    contract_unit: Quantity
    expiry_date: dt.date
    settlement_price: Price


# ---------------------------------------------------------------- who


class ClientOpened(NamedTuple):
    """A member: one client number on one counter, first delivered on this date.

    Key: (system, client_number). `open_date` may lie before. For CRD, OPT and FND the columns branch, risk, expiry
    and manager are None: these counters deliver only accounts, each with the name and document of its client.

    `identity_number` is canonical (NFKC, upper case, 15 digits widened to 18); `delivered_identity_number` is what the
    file shows. `identity_is_valid`: false only for a resident ID or social-credit code with a wrong check digit.
    `person_key` names the real legal person: for tests of linking, not an input of it.
    client_kind: person | institution | product. risk_level: C1_MINIMUM, C1 ... C5.
    status: active | frozen | dormant | closed.
    """

    system: str
    client_number: str
    person_key: str
    client_name: str
    client_kind: str
    identity_kind: str
    identity_number: str
    identity_is_valid: bool
    delivered_identity_number: str
    mobile_phone: str | None
    identity_expiry_date: dt.date | None
    manager_client_number: str | None
    branch_id: str | None
    risk_level: str | None
    risk_test_expiry_date: dt.date | None
    status: str
    open_date: dt.date
    close_date: dt.date | None


class ClientChanged(NamedTuple):
    """The whole new state of a member; fields as in `ClientOpened`."""

    system: str
    client_number: str
    person_key: str
    client_name: str
    client_kind: str
    identity_kind: str
    identity_number: str
    identity_is_valid: bool
    delivered_identity_number: str
    mobile_phone: str | None
    identity_expiry_date: dt.date | None
    manager_client_number: str | None
    branch_id: str | None
    risk_level: str | None
    risk_test_expiry_date: dt.date | None
    status: str
    open_date: dt.date
    close_date: dt.date | None


class ClientRemoved(NamedTuple):
    """The member is no longer delivered (for CRD, OPT and FND: with its last account)."""

    system: str
    client_number: str


class AccountOpened(NamedTuple):
    """An account of a line, first delivered on this date. Key: (line, account_id); account ids are unique over lines.

    role: main | auxiliary for normal, else None. Lines are ratios of a credit account, else None.
    """

    line: str
    account_id: str
    system: str
    client_number: str
    role: str | None
    branch_id: str
    status: str
    open_date: dt.date
    close_date: dt.date | None
    call_line: Ratio | None
    close_out_line: Ratio | None
    ta_account_id: str | None


class AccountChanged(NamedTuple):
    """The whole new state of an account; fields as in `AccountOpened`."""

    line: str
    account_id: str
    system: str
    client_number: str
    role: str | None
    branch_id: str
    status: str
    open_date: dt.date
    close_date: dt.date | None
    call_line: Ratio | None
    close_out_line: Ratio | None
    ta_account_id: str | None


class AccountRemoved(NamedTuple):
    """The account and everything in it (cash, positions, holdings, contracts) is no longer delivered."""

    line: str
    account_id: str


class SecuritiesAccountSet(NamedTuple):
    """A securities account of a normal cash account. Key: (securities_account_id, exchange_code)."""

    securities_account_id: str
    exchange_code: str
    account_id: str
    status: str
    open_date: dt.date
    close_date: dt.date | None


class SecuritiesAccountRemoved(NamedTuple):
    securities_account_id: str
    exchange_code: str


# ---------------------------------------------------------------- cash and securities


class CashMoved(NamedTuple):
    """One journal entry; `amount` is signed. balance(T) = balance(T-1) + sum of these.

    business of normal and credit: the neutral values of the journal contracts, or `opening_balance`.
    business of option: opening_balance, option_trade, option_exercise, transfer_from_normal, transfer_to_normal.
    """

    line: str
    account_id: str
    currency_code: str
    business: str
    amount: Money
    trade_id: str | None
    bank_code: str | None


class CashFrozenSet(NamedTuple):
    """The frozen part of a balance (it stays inside the balance)."""

    line: str
    account_id: str
    currency_code: str
    frozen_amount: Money


class InTransitMoved(NamedTuple):
    """Money of a normal account on its way. bucket: repo | fund | allotment | dividend. Signed."""

    account_id: str
    currency_code: str
    bucket: str
    amount: Money


class SecuritiesMoved(NamedTuple):
    """Shares in or out of a position, signed. line: normal | credit.

    business: opening_balance, trade, allotment, option_exercise, collateral_in, collateral_out, restriction_released,
    repurchase_out, repurchase_in.
    `quantity` includes the restricted part; `restricted_quantity` is that part's own difference.
    """

    line: str
    account_id: str
    securities_account_id: str
    exchange_code: str
    security_code: str
    business: str
    quantity: Quantity
    restricted_quantity: Quantity
    cost_amount: Money


class TradeFilled(NamedTuple):
    """One fill on the normal or credit counter. Amounts in `currency_code`; `settlement_amount` is signed.

    business: buy, sell, reverse_repo_lend, reverse_repo_return; credit also financing_buy, sell_to_repay,
    buy_to_return, short_sell. channel: counter | telephone | online | mobile. contract_id only on credit.
    """

    line: str
    trade_id: str
    order_id: str
    account_id: str
    securities_account_id: str
    exchange_code: str
    security_code: str
    business: str
    quantity: Quantity
    price: Price
    turnover_amount: Money
    currency_code: str
    commission_amount: Money
    stamp_duty_amount: Money
    transfer_fee_amount: Money
    order_fee_amount: Money
    other_fee_amount: Money
    exchange_handling_fee_amount: Money
    exchange_regulatory_fee_amount: Money
    exchange_transfer_fee_amount: Money
    exchange_settlement_fee_amount: Money
    exchange_other_fee_amount: Money
    settlement_amount: Money
    settlement_date: dt.date
    channel: str | None
    contract_id: str | None


# ---------------------------------------------------------------- credit, option, fund


class CreditContractSet(NamedTuple):
    """The whole state of a financing or short contract. contract_kind: financing | short.

    `waived_interest_amount`: what of the interest was let off on this business date; 0 from the next on.
    """

    contract_id: str
    account_id: str
    contract_kind: str
    exchange_code: str
    security_code: str
    open_date: dt.date
    due_date: dt.date
    outstanding_principal_amount: Money
    outstanding_quantity: Quantity
    outstanding_fee_amount: Money
    unpaid_interest_amount: Money
    penalty_amount: Money
    annual_rate: Rate
    waived_interest_amount: Money


class CreditContractRemoved(NamedTuple):
    contract_id: str


class RepurchaseContractSet(NamedTuple):
    """The whole state of a financing against shares of a normal account. contract_kind: agreed_repurchase | pledge.

    Shares of an agreed repurchase have left the account; pledged shares stay in its position. A line is a ratio of the
    collateral to what is owed; None where the contract gives none.
    """

    contract_id: str
    account_id: str
    contract_kind: str
    exchange_code: str
    security_code: str
    collateral_quantity: Quantity
    principal_amount: Money
    unpaid_interest_amount: Money
    annual_rate: Rate
    open_date: dt.date
    repurchase_date: dt.date
    watch_line: Ratio | None
    warning_line: Ratio | None
    disposal_line: Ratio | None


class RepurchaseContractRemoved(NamedTuple):
    contract_id: str


class OptionTradeFilled(NamedTuple):
    """One option fill, exercise or assignment.

    business: buy_open, sell_close, sell_open, buy_close, covered_open, covered_close, exercise, assignment.
    """

    trade_id: str
    order_id: str
    account_id: str
    contract_code: str
    business: str
    position_side: str
    quantity: Quantity
    price: Price
    turnover_amount: Money
    currency_code: str
    commission_amount: Money
    exchange_handling_fee_amount: Money
    exchange_settlement_fee_amount: Money
    settlement_amount: Money


class OptionPositionSet(NamedTuple):
    """Absolute. Key: (account_id, contract_code, position_side); side long | short | covered; quantity 0 = gone."""

    account_id: str
    contract_code: str
    position_side: str
    quantity: Quantity
    margin_amount: Money


class OptionMarginSet(NamedTuple):
    """Margin of an option account, absolute, both parts inside the balance."""

    account_id: str
    currency_code: str
    occupied_margin_amount: Money
    exchange_margin_amount: Money


class FundConfirmed(NamedTuple):
    """A confirmation of the transfer agent.

    business: subscription, purchase, redemption, periodic_purchase, dividend.
    """

    confirmation_id: str
    order_id: str | None
    confirmed_date: dt.date
    applied_date: dt.date
    product_code: str
    account_id: str
    return_code: str
    business: str
    applied_amount: Money
    applied_quantity: FundShares
    confirmed_amount: Money
    confirmed_quantity: FundShares
    nav: Price
    charge_amount: Money
    agency_fee_amount: Money
    share_class: str


class FundHoldingMoved(NamedTuple):
    """Shares in or out, signed. Key: (account_id, product_code, share_class)."""

    account_id: str
    product_code: str
    share_class: str
    quantity: FundShares


class FundHoldingDetailSet(NamedTuple):
    """Absolute: the undistributed income and the frozen part of a holding."""

    account_id: str
    product_code: str
    share_class: str
    undistributed_income_amount: Money
    frozen_quantity: FundShares


# ---------------------------------------------------------------- advice


class AdviceAgreementSet(NamedTuple):
    """Whom the broker advises, and for what. Key: (line, agreement_id); line advice | fund_advice.

    `account_id` is the normal account that is advised, or the fund account whose portfolio is managed. fee_model: front | back |
    copy for advice, None for fund advice. `portfolio_amount`: what of the fund account the adviser manages; it is inside its holdings.
    status: active | ended.
    """

    line: str
    agreement_id: str
    account_id: str
    product_code: str
    product_name: str
    adviser_employee_id: str | None
    fee_model: str | None
    fee_rate: Rate
    portfolio_amount: Money
    effective_date: dt.date
    end_date: dt.date | None
    status: str


class AdviceAgreementRemoved(NamedTuple):
    line: str
    agreement_id: str


class AdviceFeeConfirmed(NamedTuple):
    """A fee taken for advice. fee_kind: front (on signing), back (for the service), copy (for copied orders), portfolio (fund advice)."""

    line: str
    fee_id: str
    agreement_id: str
    account_id: str
    fee_kind: str
    amount: Money


# ---------------------------------------------------------------- cases


class CaseElementSet(NamedTuple):
    """One thing a court or a notary names in a case. Key: (case_id, element_id). case_kind: inheritance | judicial_deduction.

    Money has a currency and an amount, shares have an exchange, a code and a quantity; the other two are None and 0.
    `executed_date`: the day a deduction was carried out, None before and for an estate.
    """

    case_id: str
    element_id: str
    case_kind: str
    account_id: str
    currency_code: str | None
    amount: Money
    exchange_code: str | None
    security_code: str | None
    quantity: Quantity
    executed_date: dt.date | None


class CaseElementRemoved(NamedTuple):
    case_id: str
    element_id: str


# ---------------------------------------------------------------- public offers


class AllotmentSet(NamedTuple):
    """A win of a cash account in a public offer, absolute. Key: (account_id, exchange_code, security_code)."""

    account_id: str
    exchange_code: str
    security_code: str
    won_quantity: Quantity
    issue_price: Price
    payable_amount: Money
    paid_amount: Money
    payment_due_date: dt.date
    paid_date: dt.date | None


class AllotmentRemoved(NamedTuple):
    account_id: str
    exchange_code: str
    security_code: str


class SubscriptionQuotaSet(NamedTuple):
    """What a cash account may subscribe of a coming public offer, absolute. Key: (account_id, exchange_code, security_code)."""

    account_id: str
    exchange_code: str
    security_code: str
    quota_quantity: Quantity
    issue_price: Price
    subscription_date: dt.date


class SubscriptionQuotaRemoved(NamedTuple):
    account_id: str
    exchange_code: str
    security_code: str


class CustomerLinkSet(NamedTuple):
    """Somebody decided that two clients are one customer, absolute. Key: (business_line, client_number)."""

    business_line: str
    client_number: str
    main_business_line: str
    main_client_number: str
    link_reason: str
    decided_date: dt.date


class CustomerLinkRemoved(NamedTuple):
    business_line: str
    client_number: str


class InstitutionSet(NamedTuple):
    """What e-office knows of an institution among the clients of the normal counter, absolute. Key: client_number.

    institution_kind: company | bank | securities_firm | fund_manager | private_fund_manager | insurer | trust_company | other.
    investor_class: ordinary | professional_a | professional_b | professional_c. contact_name and contact_phone: whom to call there.
    """

    client_number: str
    institution_kind: str
    investor_class: str
    registered_capital_amount: Money | None
    licence_expiry_date: dt.date | None
    contact_name: str | None
    contact_phone: str | None
    updated_date: dt.date


class InstitutionRemoved(NamedTuple):
    client_number: str


# ---------------------------------------------------------------- call platform


class ConsentSet(NamedTuple):
    """One declaration made for a phone; of several for one phone the last recorded counts. client_number: who made it, if known.

    consent_kind: marketing_granted | marketing_refused | do_not_call.
    """

    consent_id: str
    client_number: str | None
    mobile_phone: str
    consent_kind: str
    recorded_date: dt.date


class ConsentRemoved(NamedTuple):
    consent_id: str


class CallMade(NamedTuple):
    """call_direction: out | in. call_result: reached | no_answer | refused."""

    call_id: str
    client_number: str | None
    mobile_phone: str
    call_direction: str
    call_result: str


class ComplaintSet(NamedTuple):
    """A complaint of a client of the normal counter. complaint_status: open | settled."""

    complaint_id: str
    client_number: str
    complaint_status: str
    opened_date: dt.date
    closed_date: dt.date | None


class ComplaintRemoved(NamedTuple):
    complaint_id: str


class ApplicationSet(NamedTuple):
    """An application for an account, and how far it has come by the end of the day; of a phone there may be several.

    application_step: the last one taken, in this order: phone_verified | identity_uploaded | video_checked | risk_tested | agreement_signed |
    bank_bound | account_opened. application_status: in_progress | opened | withdrawn | rejected. stalled_minutes: since the last step.
    aml_result: passed | review | rejected. client_number: of the normal counter, once opened.
    """

    application_id: str
    mobile_phone: str
    applicant_name: str
    branch_id: str
    application_step: str
    application_status: str
    started_date: dt.date
    stalled_minutes: Quantity
    aml_result: str | None
    client_number: str | None


class ApplicationRemoved(NamedTuple):
    application_id: str


class AmlGradeSet(NamedTuple):
    """How the money-laundering check grades a client of the normal counter. aml_grade: low | medium | high."""

    client_number: str
    aml_grade: str
    graded_date: dt.date
    review_date: dt.date | None


class AmlGradeRemoved(NamedTuple):
    client_number: str


class PermissionSet(NamedTuple):
    """What a client of the normal counter may trade. permission_kind: chinext | star_market | bse | hk_connect | option | margin."""

    client_number: str
    permission_kind: str
    opened_date: dt.date


class PermissionRemoved(NamedTuple):
    client_number: str
    permission_kind: str


EVENT_ORDER: tuple[type, ...] = (
    BranchSet,
    BranchRemoved,
    EmployeeSet,
    EmployeeRemoved,
    StatutoryRatePublished,
    SecurityPublished,
    PricePublished,
    ExchangeRatePublished,
    FundProductPublished,
    NavPublished,
    OptionContractPublished,
    ClientOpened,
    ClientChanged,
    AccountOpened,
    AccountChanged,
    SecuritiesAccountSet,
    RelationRemoved,
    RelationSet,
    AgreedRateRemoved,
    AgreedRateSet,
    CounterRateRemoved,
    CounterRateSet,
    TargetRemoved,
    TargetSet,
    CashMoved,
    CashFrozenSet,
    InTransitMoved,
    SecuritiesMoved,
    TradeFilled,
    CreditContractSet,
    CreditContractRemoved,
    RepurchaseContractSet,
    RepurchaseContractRemoved,
    OptionTradeFilled,
    OptionPositionSet,
    OptionMarginSet,
    FundConfirmed,
    FundHoldingMoved,
    FundHoldingDetailSet,
    AdviceAgreementSet,
    AdviceAgreementRemoved,
    AdviceFeeConfirmed,
    CaseElementSet,
    CaseElementRemoved,
    AllotmentSet,
    AllotmentRemoved,
    SubscriptionQuotaSet,
    SubscriptionQuotaRemoved,
    CustomerLinkSet,
    CustomerLinkRemoved,
    InstitutionSet,
    InstitutionRemoved,
    ConsentSet,
    ConsentRemoved,
    CallMade,
    ComplaintSet,
    ComplaintRemoved,
    ApplicationSet,
    ApplicationRemoved,
    AmlGradeSet,
    AmlGradeRemoved,
    PermissionSet,
    PermissionRemoved,
    SecuritiesAccountRemoved,
    AccountRemoved,
    ClientRemoved,
)


class FieldKind(NamedTuple):
    """How a field is held in a column. kind: amount | date | flag | text; scale only for amounts."""

    kind: str
    scale: int | None
    is_nullable: bool


@cache
def field_kinds(event_class: type) -> dict[str, FieldKind]:
    """Field name -> how it is held, read from the type hints."""
    hints = get_type_hints(event_class, include_extras=True)
    return {name: _kind_of(hint) for name, hint in hints.items()}


def _kind_of(hint: Any) -> FieldKind:
    is_nullable = type(None) in get_args(hint)
    core = next(part for part in get_args(hint) if part is not type(None)) if is_nullable else hint
    if hasattr(core, "__metadata__"):
        return FieldKind("amount", core.__metadata__[0], is_nullable)
    kind = {dt.date: "date", bool: "flag"}.get(core, "text")
    return FieldKind(kind, None, is_nullable)


class Columns:
    """Many events of one class, by column: an array a field, or one value for all rows."""

    def __init__(self, event_class: type, fields: dict[str, Any]) -> None:
        unmatched = set(event_class._fields) ^ set(fields)
        if unmatched:
            raise ValueError(f"{event_class.__name__}: fields {sorted(unmatched)} are missing or unknown")
        lengths = {len(value) for value in fields.values() if _is_array(value)}
        if len(lengths) > 1:
            raise ValueError(f"{event_class.__name__}: columns of different length {sorted(lengths)}")
        self.event_class = event_class
        self.fields = {name: fields[name] for name in event_class._fields}
        self.length = lengths.pop() if lengths else 1

    def __len__(self) -> int:
        return self.length

    def column(self, name: str) -> np.ndarray:
        """The column as an array: amounts as scaled integers, dates as datetime64[D], texts as objects."""
        value = self.fields[name]
        dtype = _array_type(field_kinds(self.event_class)[name])
        if _is_array(value):
            return np.asarray(value, dtype=dtype)
        filled = np.empty(self.length, dtype=dtype)
        filled[:] = np.datetime64("NaT") if value is None and dtype is not object else value
        return filled

    def rows(self) -> Iterator[tuple]:
        """Plain event tuples with decimals and dates."""
        kinds = field_kinds(self.event_class)
        columns = [_python_values(self.column(name), kinds[name]) for name in self.event_class._fields]
        return map(self.event_class._make, zip(*columns, strict=True))


def _is_array(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _array_type(kind: FieldKind) -> Any:
    if kind.kind == "amount":
        return object if kind.is_nullable else np.int64
    return {"date": "datetime64[D]", "flag": np.bool_, "text": object}[kind.kind]


def _python_values(column: np.ndarray, kind: FieldKind) -> list:
    if kind.kind == "date":
        return column.astype(object).tolist()
    values = column.tolist()
    if kind.kind != "amount":
        return values
    return [None if value is None else Decimal(value).scaleb(-kind.scale) for value in values]


class EventLog:
    """All events of a run, per business date. The first date is the opening baseline."""

    def __init__(self) -> None:
        self._days: dict[dt.date, dict[type, list[Columns]]] = {}

    @property
    def dates(self) -> list[dt.date]:
        """Business dates in order, the opening baseline first."""
        return sorted(self._days)

    @property
    def opening_date(self) -> dt.date:
        return self.dates[0]

    def open_day(self, business_date: dt.date) -> None:
        self._days.setdefault(business_date, {})

    def emit(self, business_date: dt.date, event_class: type, **fields: Any) -> None:
        """Record events: every field is one value, or an array with one value an event. Amounts as scaled integers."""
        chunk = Columns(event_class, fields)
        if len(chunk):
            self._days[business_date].setdefault(event_class, []).append(chunk)

    def chunks(self, business_date: dt.date, event_class: type) -> list[Columns]:
        """The columnar form, for whoever folds many events at once."""
        return self._days[business_date].get(event_class, [])

    def events_of(self, business_date: dt.date, event_class: type) -> Iterator[tuple]:
        """Plain tuples of one class on one day."""
        for chunk in self.chunks(business_date, event_class):
            yield from chunk.rows()

    def events_on(self, business_date: dt.date) -> Iterator[tuple]:
        """Plain tuples of one day, class by class in `EVENT_ORDER`."""
        for event_class in EVENT_ORDER:
            yield from self.events_of(business_date, event_class)

    def __iter__(self) -> Iterator[tuple[dt.date, Iterator[tuple]]]:
        """(business date, its events) in order of date."""
        for business_date in self.dates:
            yield business_date, self.events_on(business_date)
