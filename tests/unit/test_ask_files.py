"""Lists come into a query with tokens for personal values, and results go out with a line in the audit log."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from serving.audit import lines
from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.vault import VaultError, key_lines, load_keys
from spark_jobs.jobs.ask import answer, answer_file
from tests.api.builders import PEOPLE, build_home

MINE = PEOPLE[5]
JOINED = "select imported.campaign, profile.customer_id from imported join mart_customer_profile as profile using (mobile_phone_token) where as_of_date = (select max(as_of_date) from mart_customer_profile)"


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(home=build_home(tmp_path_factory.mktemp("home")))


def listed(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "list.csv"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize(("header", "encoding"), [("mobile_phone", "utf-8-sig"), ("手机号", "gb18030")])
def test_a_list_of_phones_finds_its_customers(settings, tmp_path, header, encoding):
    file = listed(tmp_path, f"campaign,{header}\nspring,+86 {MINE.phone}\nautumn,\n", encoding)
    assert answer(settings, JOINED, file) == [{"campaign": "spring", "customer_id": MINE.customer_id}]


def test_document_numbers_find_their_customers_by_their_form_or_by_what_the_list_says(settings, tmp_path):
    query = "select customer_id from imported join mart_customer_profile using (identity_token) group by all"
    file = listed(tmp_path, f"identity_number\n{MINE.identity.lower()}\n")
    assert answer(settings, query, file) == [{"customer_id": MINE.customer_id}]
    file = listed(tmp_path, f"identity_number,identity_kind\n{MINE.identity},passport\n")
    assert answer(settings, query, file) == [], "a passport of that number is another document"


def test_no_clear_value_is_in_the_table(settings, tmp_path):
    file = listed(tmp_path, f"mobile_phone,identity_number,姓名\n{MINE.phone},{MINE.identity},王小明\n")
    (row,) = answer(settings, "select * from imported", file)
    assert set(row) == {
        f"{name}_{part}" for name in ("mobile_phone", "identity", "name") for part in ("token", "masked")
    }
    shown = json.dumps(row, ensure_ascii=False)
    assert not any(value in shown for value in (MINE.phone, MINE.identity, "王小明")) and row["name_masked"] == "王**"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1"),
        ("a,a\n1,2\n", "line 1"),
        ("a,b\n1\n", "line 2: 1 fields instead of 2"),
        ("a\n", "no row"),
        ("remark\n13900000001\n", "column remark"),
        ("number\n110101199001011237\n", "column number"),
    ],
)
def test_a_list_that_is_not_one_is_refused_without_its_values(settings, tmp_path, text, fault):
    with pytest.raises(ConfigurationError, match="C360-126") as error:
        answer(settings, "select 1", listed(tmp_path, text))
    assert fault in str(error.value) and "139000" not in str(error.value) and "1101011990" not in str(error.value)


def audited(settings: Settings) -> list[dict]:
    return list(lines(settings.audit, date(2000, 1, 1), date(9999, 1, 1)))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_a_result_is_a_file_of_its_owner_and_two_lines_of_the_audit_log(settings, tmp_path, suffix):
    file = tmp_path / f"result{suffix}"
    query = "select customer_id, cash_amount from mart_customer_profile where as_of_date = (select max(as_of_date) from mart_customer_profile) order by 1;"
    assert answer_file(settings, query, file) == len(PEOPLE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and list(tmp_path.iterdir()) == [file]
    before, after = audited(settings)[-2:]
    assert (before["outcome"], after["outcome"]) == ("about to be taken out", "taken out")
    assert (after["rows"], after["columns"], after["revision"]) == (len(PEOPLE), ["customer_id", "cash_amount"], 1)
    first = PEOPLE[0]
    if suffix == ".xlsx":
        sheet = openpyxl.load_workbook(file).active
        assert [cell.value for cell in sheet[1]] == ["customer_id", "cash_amount"]
        assert (sheet["A2"].value, Decimal(str(sheet["B2"].value))) == (first.customer_id, Decimal(1000 * first.number))
    else:
        read = "read_parquet" if suffix == ".parquet" else "read_csv"
        row = duckdb.sql(f"select customer_id, cash_amount from {read}('{file}') order by 1 limit 1").fetchone()
        assert (row[0], Decimal(str(row[1]))) == (first.customer_id, Decimal(1000 * first.number))


def test_a_workbook_runs_no_text_and_rounds_no_number(settings, tmp_path):
    file = tmp_path / "result.xlsx"
    answer_file(
        settings,
        "select '=1+1' as text, cast(1234567890123456.78 as decimal(18,2)) as large, cast(-0.50 as decimal(18,2)) as small",
        file,
    )
    sheet = openpyxl.load_workbook(file).active
    assert [cell.value for cell in sheet[2]] == ["'=1+1", "1234567890123456.78", -0.5]
    assert sheet["C2"].number_format == "#,##0.00"


@pytest.mark.parametrize("name", ["result.txt", "nowhere/result.csv", "list.csv"])
def test_a_place_a_result_cannot_have_is_refused_and_nothing_is_written(settings, tmp_path, name):
    listed(tmp_path, "kept")
    with pytest.raises(ConfigurationError, match="C360-127"):
        answer_file(settings, "select 1", tmp_path / name)
    assert (tmp_path / "list.csv").read_text() == "kept" and len(list(tmp_path.iterdir())) == 1


def test_a_query_that_fails_leaves_no_file(settings, tmp_path):
    with pytest.raises(ConfigurationError, match="C360-107"):
        answer_file(settings, "select nothing from nowhere", tmp_path / "result.csv")
    assert not list(tmp_path.iterdir())


def test_a_list_is_not_read_with_keys_that_made_none_of_the_tokens(settings, tmp_path, monkeypatch):
    keys = load_keys(settings.vault, {})
    for line in key_lines(replace(keys, newer_token_keys=(b"u" * 32,))).splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    with pytest.raises(VaultError, match="C360-525"):
        answer(settings, JOINED, listed(tmp_path, f"campaign,mobile_phone\nspring,{MINE.phone}\n"))
