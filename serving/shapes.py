"""What goes in and comes out, for the OpenAPI document: rows are made from the data dictionary, amounts are strings with every decimal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from serving.access import REVEALABLE
from serving.overlay import RESULTS, WORDS
from spark_jobs.publish.dictionary import Entry, read_dictionary

_TYPES: dict[str, Any] = {"string": str, "date": date, "int": int, "bigint": int, "boolean": bool}


class LookUp(BaseModel):
    """The value to look up, and the last characters of the identity document as a second check."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(pattern="^(phone|customer_number|account)$", description="phone, customer_number or account")
    value: str = Field(min_length=1, max_length=64)
    last_id_digits: str | None = Field(None, pattern="^[0-9]{3,5}[0-9Xx]$")


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: str = Field(pattern=f"^({'|'.join(WORDS)})$", description=", ".join(WORDS))


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=2000)


class Reveal(BaseModel):
    """column: mobile_phone or identity; reason: kept in the audit log, without numbers of anybody."""

    model_config = ConfigDict(extra="forbid")

    column: str = Field(pattern=f"^({'|'.join(REVEALABLE)})$")
    reason: str = Field(min_length=4, max_length=200)


class Release(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=1_000_000, description="as the claim said")


class Result(Release):
    result: str = Field(pattern=f"^({'|'.join(RESULTS)})$", description=", ".join(RESULTS))


class Export(BaseModel):
    """columns: all the role sees when left out; month: of marts by day or month, else that of the published day."""

    model_config = ConfigDict(extra="forbid")

    mart: str = Field(pattern="^mart_[a-z_]{1,60}$")
    columns: list[str] | None = Field(None, max_length=200)
    month: str | None = Field(None, pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", description="yyyy-MM")


class Problem(BaseModel):
    """The one shape of every error. None repeats what was sent."""

    code: str
    what: str
    next: str


class ProblemAnswer(BaseModel):
    error: Problem


class Freshness(BaseModel):
    """Business date of each block; null where one was never delivered. is_stale: a block is older than the answer; is_partial: one is missing."""

    blocks: dict[str, date | None]
    is_stale: bool | None
    is_partial: bool | None


class Answer(BaseModel):
    """All of it is from one revision."""

    as_of_date: date
    revision: int
    freshness: Freshness


class Paged(Answer):
    next_page: str | None = Field(description="token of the next page; null on the last one")


def row_model(mart: str, entries: Collection[Entry], columns: Collection[str] | None = None) -> type[BaseModel]:
    """A row of a mart. A column the caller may not see is left out, so every one is optional."""
    fields = {
        entry.column: (
            _TYPES.get(entry.data_type, str) | None,
            Field(None, description=f"{entry.chinese_name}. {entry.definition}"),
        )
        for entry in entries
        if entry.mart == mart and (columns is None or entry.column in columns)
    }
    name = "".join(part.capitalize() for part in mart.removeprefix("mart_").split("_"))
    return create_model(name if columns is None else f"{name}Part", **fields)


ENTRIES = read_dictionary()
Profile = row_model("mart_customer_profile", ENTRIES)
Account = row_model("mart_customer_account", ENTRIES)
Holding = row_model("mart_customer_holding", ENTRIES)
Tag = row_model("mart_customer_tag", ENTRIES)
Phone = row_model("mart_customer_phone", ENTRIES)
Institution = row_model("mart_institution", ENTRIES)
InstitutionHolding = row_model("mart_institution_holding", ENTRIES)
Prospect = row_model("mart_prospect", ENTRIES)
Suppressed = row_model("mart_outbound_suppressed", ENTRIES)
CustomerCommission = row_model("mart_commission_customer_day", ENTRIES)
CustomerIncome = row_model("mart_income_customer_day", ENTRIES)
CustomerAccrual = row_model("mart_income_accrual", ENTRIES)
EmployeeCommission = row_model("mart_commission_employee_month", ENTRIES)
BranchCommission = row_model("mart_commission_branch_month", ENTRIES)
EmployeePerformance = row_model("mart_performance_employee_month", ENTRIES)
BranchPerformance = row_model("mart_performance_branch_month", ENTRIES)
ProductIncome = row_model("mart_income_product_day", ENTRIES)
Movement = row_model("mart_customer_movement", ENTRIES)
Merge = row_model("mart_customer_merge", ENTRIES)
Review = row_model("mart_customer_review", ENTRIES)
ChargeCheck = row_model("mart_charge_check", ENTRIES)
RateCheck = row_model("mart_rate_check", ENTRIES)


class Claim(BaseModel):
    """Who has a call. version: give it back with a result, so that nobody overwrites what he has not seen."""

    state: str = Field(description="claimed or done")
    is_mine: bool
    employee: str | None
    version: int
    result: str | None = Field(description=f"{', '.join(RESULTS)}; null while not done")


class Word(BaseModel):
    word: str = Field(description=", ".join(WORDS))
    recorded_at: str
    employee: str | None


class Call(BaseModel):
    direction: str
    result: str
    made_at: str
    employee: str | None


class Today(BaseModel):
    """What was written since the published day. Null where nothing was: then the profile's own columns hold."""

    last_word: str | None
    is_do_not_call: bool | None
    has_marketing_consent: bool | None
    words: list[Word]
    calls: list[Call]
    note_count: int
    claim: Claim | None


class LookUpAnswer(Answer):
    found: str = Field(description="none, one or several")
    data: list[Profile]
    application: Prospect | None = Field(
        None, description="of a phone that is no customer's: its application for an account"
    )


class ProfileAnswer(Answer):
    data: Profile
    today: Today


class AccountsAnswer(Answer):
    data: list[Account]


class HoldingsAnswer(Answer):
    data: list[Holding]


class PhonesAnswer(Answer):
    data: list[Phone]


class TagsAnswer(Answer):
    data: list[Tag]


class OpenItemsAnswer(Answer):
    data: Profile


class AssetHistoryAnswer(Answer):
    data: list[Profile]


class ListOfCalls(BaseModel):
    list_name: str
    reason_code: str
    purpose: str
    priority: int
    due_time: str | None
    call_count: int


class ListsAnswer(Answer):
    data: list[ListOfCalls]


class OutboundCall(row_model("mart_outbound_call", ENTRIES)):
    work: Claim | None = Field(None, description="who has the call; null while nobody has")


class CallsAnswer(Paged):
    data: list[OutboundCall]


class ProspectsAnswer(Paged):
    data: list[Prospect]


class SuppressedAnswer(Paged):
    data: list[Suppressed]


class CustomerCommissionAnswer(Answer):
    data: list[CustomerCommission]


class CustomerIncomeAnswer(Answer):
    data: list[CustomerIncome]


class CustomerAccrualAnswer(Answer):
    data: list[CustomerAccrual]


class EmployeeCommissionAnswer(Paged):
    data: list[EmployeeCommission]


class BranchCommissionAnswer(Paged):
    data: list[BranchCommission]


class EmployeePerformanceAnswer(Paged):
    data: list[EmployeePerformance]


class BranchPerformanceAnswer(Paged):
    data: list[BranchPerformance]


class ProductIncomeAnswer(Paged):
    data: list[ProductIncome]


class MovementAnswer(Paged):
    data: list[Movement]


class MergeAnswer(Paged):
    data: list[Merge]


class ReviewAnswer(Paged):
    data: list[Review]


class InstitutionsAnswer(Paged):
    data: list[Institution]


class InstitutionAnswer(Answer):
    data: list[Institution]


class InstitutionHoldingsAnswer(Answer):
    data: list[InstitutionHolding]


class ChargeCheckAnswer(Paged):
    data: list[ChargeCheck]


class RateCheckAnswer(Paged):
    data: list[RateCheck]


class PublishedDay(BaseModel):
    business_date: date
    revision: int


class StatusAnswer(Answer):
    data: list[PublishedDay]


class SaidAnswer(Answer):
    data: dict[str, str]


class NoteKept(BaseModel):
    note_id: str


class NoteKeptAnswer(Answer):
    data: NoteKept


class Note(BaseModel):
    note_id: str
    text: str
    written_at: str
    employee: str | None


class NotesAnswer(Answer):
    data: list[Note]


class RevealAnswer(Answer):
    data: dict[str, str]


class CallState(BaseModel):
    state: str = Field(description="open, claimed or done")
    version: int


class CallStateAnswer(Answer):
    data: CallState
