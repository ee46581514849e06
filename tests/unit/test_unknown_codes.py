"""What is said of codes nobody knows, and that every code somebody knows has a class."""

from __future__ import annotations

import json

from spark_jobs.contracts import load_catalogue
from spark_jobs.gold.trades import FLOW_CLASSES
from spark_jobs.quality.unknown_codes import sentence, unknown_codes_of

JOURNALS = ("normal_counter__cash_journal", "credit_counter__cash_journal")


def test_a_sentence_tells_column_rows_and_money_and_no_code():
    detail = json.dumps({"unknown_codes": [{"column": "business_code", "rows": 2, "amounts": {"amount": "-12.50"}}]})
    (entry,) = unknown_codes_of("normal_counter__cash_journal", "2026-09-29", detail)
    assert sentence(entry) == (
        "2026-09-29 normal_counter__cash_journal: business_code has codes the contract does not know in 2 rows, "
        "which carry Σ amount -12.50; kept as @code"
    )


def test_a_feed_without_totals_tells_rows_only():
    detail = json.dumps({"unknown_codes": [{"column": "client_status", "rows": 1, "amounts": {}}]})
    (entry,) = unknown_codes_of("normal_counter__clients", "2026-09-29", detail)
    assert "in 1 row; kept as @code" in sentence(entry)


def test_a_delivery_that_never_arrived_has_nothing_to_tell():
    assert unknown_codes_of("normal_counter__clients", "2026-09-29", json.dumps({"where": "", "next": ""})) == []


def test_every_business_flag_a_journal_contract_knows_has_a_flow_class():
    """Otherwise a known flag would be shown as one that nobody knows."""
    catalogue = load_catalogue()
    known = {
        meaning
        for feed in JOURNALS
        for column in catalogue[feed].columns
        if column.name == "business_code"
        for meaning in column.codes.values()
    }
    assert len(known) > 20
    assert known <= {meaning for meanings in FLOW_CLASSES.values() for meaning in meanings}


def test_every_feed_that_is_a_cash_journal_is_tried():
    assert {contract.feed for contract in load_catalogue() if contract.feed.endswith("cash_journal")} == set(JOURNALS)
