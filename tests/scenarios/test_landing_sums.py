"""The delivered bytes, read and added up by DuckDB alone, give the published sums and the truth's, to the last cent.

Nothing of this project reads, decodes, converts or values here: codes, implied decimals and widths are written out once more. Only who
a customer is comes from the published marts; how much is his comes from landing.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from spark_jobs.publish.duckdb_store import current

DELIMITED = (
    "normal_counter__trades", "credit_counter__trades", "option_counter__trades", "normal_counter__cash_balances",
    "credit_counter__cash_balances", "option_counter__cash_balances", "normal_counter__positions",
    "credit_counter__collateral_positions", "option_counter__positions", "option_counter__contracts", "fund_counter__products",
    "normal_counter__cash_accounts", "normal_counter__clients", "credit_counter__accounts", "option_counter__accounts",
    "fund_counter__accounts", "repurchase_counter__contracts",
)  # fmt: skip
FUND_FILES = {"fund_counter__holdings": "_05.TXT", "fund_counter__navs": "_07.TXT"}
FUND_WIDTHS = {
    "FundCode": 6, "TransactionAccountID": 17, "TAAccountID": 12, "AvailableVol": 16, "TotalVolOfDistributorInTA": 16,
    "TotalFrozenVol": 16, "ShareClass": 1, "UndistributeMonetaryIncome": 16, "NAVDate": 8, "NAV": 7,
}  # fmt: skip
PARQUET = ("reference__exchange_rates", "reference__prices", "reference__securities")

# A product of decimals keeps its scale only where its declared width has room: 28 + 10 and 20 + 18 make the 38 digits there are.
MACROS = """
create macro in_cny(amount, rate) as round(cast(amount as decimal(28, 3)) * cast(rate as decimal(10, 8)), 2);
create macro position_value(quantity, price) as
    coalesce(round(cast(quantity as decimal(20, 4)) * cast(price as decimal(18, 4)), 2), 0.00);
create macro three_decimals(digits) as cast(digits as decimal(25, 0)) * 0.001;
"""

# Normal and credit counters, funds and market data: 0 CNY, 1 USD, 2 HKD. The option counter has the two foreign codes the other way.
VIEWS = """
create table rates as
select business_date, currency_code, exchange_rate from reference__exchange_rates where rate_kind = 'P'
union all
select distinct business_date, '0', cast(1 as decimal(18, 8)) from reference__exchange_rates;

create table fills as
with delivered as (
    select business_date, 'normal' as business_line, account_id, currency_code,
        cast(turnover_amount as decimal(28, 3)) as turnover, cast(commission_amount as decimal(28, 3)) as commission,
        [transfer_fee_amount, order_fee_amount, other_fee_amount] as charged,
        [exchange_handling_fee_amount, exchange_regulatory_fee_amount, exchange_transfer_fee_amount, exchange_settlement_fee_amount,
            exchange_other_fee_amount] as paid_on
    from normal_counter__trades
    union all
    select business_date, 'credit', account_id, currency_code, turnover_amount, commission_amount,
        [transfer_fee_amount, order_fee_amount, other_fee_amount],
        [exchange_handling_fee_amount, exchange_regulatory_fee_amount, exchange_transfer_fee_amount, exchange_settlement_fee_amount,
            exchange_other_fee_amount]
    from credit_counter__trades
    union all
    select business_date, 'option', account_id, case currency_code when '1' then '2' when '2' then '1' else currency_code end,
        three_decimals(turnover_amount), three_decimals(commission_amount), [],
        [cast(three_decimals(exchange_handling_fee_amount) as varchar), cast(three_decimals(exchange_settlement_fee_amount) as varchar)]
    from option_counter__trades
)
select
    delivered.business_date, business_line, account_id, currency_code,
    in_cny(turnover, exchange_rate) as turnover_amount,
    in_cny(commission, exchange_rate) as gross_commission_amount,
    in_cny(commission, exchange_rate)
        + coalesce(list_sum([in_cny(fee, exchange_rate) for fee in charged]), 0.00)
        - coalesce(list_sum([in_cny(fee, exchange_rate) for fee in paid_on]), 0.00) as net_commission_amount
from delivered left join rates using (business_date, currency_code);

create table securities_positions as
select business_date, 'normal' as business_line, account_id, exchange_code, security_code, quantity from normal_counter__positions
union all
select business_date, 'credit', account_id, exchange_code, security_code, quantity from credit_counter__collateral_positions;

-- The option counter sends what has changed; what holds is the newest row up to the day.
create table option_holdings as
select days.business_date, changes.account_id, changes.contract_code, changes.position_side, changes.quantity, changes.deleted
from (select distinct business_date from option_counter__contracts) as days
inner join option_counter__positions as changes on changes.business_date <= days.business_date
qualify row_number() over (
    partition by days.business_date, changes.account_id, changes.contract_code, changes.position_side
    order by changes.business_date desc
) = 1;

create table amounts as
select business_date, 'normal' as business_line, account_id, 'cash' as block, in_cny(balance_amount, exchange_rate) as amount
from normal_counter__cash_balances left join rates using (business_date, currency_code)
union all
select business_date, 'normal', account_id, 'in_transit', in_cny(
    cast(unsettled_repo_amount as decimal(26, 2)) + cast(unsettled_fund_amount as decimal(26, 2))
        + cast(unsettled_allotment_amount as decimal(26, 2)) + cast(unsettled_dividend_amount as decimal(26, 2)),
    exchange_rate
)
from normal_counter__cash_balances left join rates using (business_date, currency_code)
union all
select positions.business_date, positions.business_line, positions.account_id,
    case positions.business_line when 'normal' then 'securities' else 'collateral' end,
    in_cny(position_value(positions.quantity, prices.close_price), rates.exchange_rate)
from securities_positions as positions
left join reference__prices as prices using (business_date, exchange_code, security_code)
left join reference__securities as securities using (business_date, exchange_code, security_code)
left join rates on rates.business_date = positions.business_date and rates.currency_code = coalesce(securities.currency_code, '0')
union all
select business_date, 'credit', account_id, 'credit_cash', in_cny(balance_amount, exchange_rate)
from credit_counter__cash_balances left join rates using (business_date, currency_code)
union all
select balances.business_date, 'option', account_id, 'option_cash', in_cny(three_decimals(balance_amount), exchange_rate)
from option_counter__cash_balances as balances
left join rates
    on rates.business_date = balances.business_date
    and rates.currency_code = case balances.currency_code when '1' then '2' when '2' then '1' else balances.currency_code end
union all
select business_date, 'option', account_id, 'option_positions',
    case position_side when 'L' then 1 when 'S' then -1 else 0 end
        * position_value(cast(quantity as decimal(9, 0)) * cast(contract_unit as decimal(9, 2)), settlement_price)
from option_holdings left join option_counter__contracts using (business_date, contract_code)
where deleted = '0'
union all
select business_date, 'normal', account_id, 'repurchase', position_value(collateral_quantity, close_price)
from repurchase_counter__contracts left join reference__prices using (business_date, exchange_code, security_code)
where contract_kind = '1'
union all
select holdings.business_date, 'fund', trim(holdings.TransactionAccountID), 'fund', in_cny(
    position_value(
        cast(holdings.TotalVolOfDistributorInTA as decimal(16, 0)) * 0.01,
        case products.product_kind when '5' then 1.0000 else cast(navs.NAV as decimal(7, 0)) * 0.0001 end
    ) + cast(holdings.UndistributeMonetaryIncome as decimal(16, 0)) * 0.01,
    rates.exchange_rate
)
from fund_counter__holdings as holdings
left join fund_counter__products as products
    on products.business_date = holdings.business_date and products.product_code = holdings.FundCode
left join fund_counter__navs as navs on navs.business_date = holdings.business_date and navs.FundCode = holdings.FundCode
left join rates on rates.business_date = holdings.business_date and rates.currency_code = coalesce(products.currency_code, '0');

-- Accounts whose client is delivered that day; on the three smaller counters the account brings its client with it.
create table present as
select business_date, 'normal' as business_line, account_id
from normal_counter__cash_accounts semi join normal_counter__clients using (business_date, client_number)
union all select business_date, 'credit', account_id from credit_counter__accounts
union all select business_date, 'option', account_id from option_counter__accounts
union all select business_date, 'fund', account_id from fund_counter__accounts;

create table owners as
select distinct business_line, account_id, customer_id from published.mart_customer_account where customer_id is not null;

create table days as
select business_date, row_number() over (order by business_date) as day_number from (select distinct business_date from present);

-- A customer's cents on each day, and the twenty trading days up to each published day on which he has a profile.
create table averages as
with totals as (
    select business_date, customer_id, sum(amount) as total
    from amounts semi join present using (business_date, business_line, account_id) inner join owners using (business_line, account_id)
    group by all
),
summed as (
    select profiles.as_of_date, profiles.customer_id, least(today.day_number, 20) as average_20d_days,
        coalesce(sum(totals.total), 0.00) as average_20d_sum_amount
    from published.mart_customer_profile as profiles
    inner join days as today on today.business_date = profiles.as_of_date
    inner join days as earlier on earlier.day_number between today.day_number - 19 and today.day_number
    left join totals on totals.business_date = earlier.business_date and totals.customer_id = profiles.customer_id
    group by all
)
select *,
    -- in whole cents, half away from zero, since a quotient of decimals would be a floating point number
    cast(sign(average_20d_sum_amount) as hugeint)
        * ((2 * cast(abs(average_20d_sum_amount) * 100 as hugeint) + average_20d_days) // (2 * average_20d_days)) as average_cents
from summed;
"""


def _day_of(path: Path) -> str:
    return path.parent.parent.name


def _named_files(folder: Path) -> list[Path]:
    """What the manifest names, in its order."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return [folder / entry["name"] for entry in manifest["files"]]


def _split_delimited(content: bytes) -> tuple[list[str], list[str]]:
    """Column names and data lines; the first line and the last are header and trailer."""
    header, names, *lines, trailer = content.decode("gb18030").rstrip("\n").replace("\r\n", "\n").split("\n")
    assert header.startswith("#H|") and trailer == f"#T|{len(lines)}"
    return names.split("|"), lines


def _split_fund_file(content: bytes) -> tuple[list[str], list[str]]:
    """Field names and records, cut at their widths in bytes and joined with bars."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    count = int(lines[9])
    names = [line.decode().strip() for line in lines[10 : 10 + count]]
    promised = int(lines[10 + count])
    records = []
    for line in lines[11 + count : 11 + count + promised]:
        cells, start = [], 0
        for name in names:
            cells.append(line[start : start + FUND_WIDTHS[name]].decode("gb18030"))
            start += FUND_WIDTHS[name]
        assert start == len(line)
        records.append("|".join(cells))
    assert lines[11 + count + promised].strip() == b"OFDCFEND"
    return names, records


def _load_text(connection: duckdb.DuckDBPyConnection, landing: Path, feed: str, scratch: Path) -> None:
    """All days of one feed as a table of text columns, with business_date."""
    split, ending = (_split_fund_file, FUND_FILES[feed]) if feed in FUND_FILES else (_split_delimited, ".txt")
    columns: list[str] = []
    target = scratch / f"{feed}.txt"
    with target.open("w", encoding="utf-8", newline="") as stream:
        for folder in sorted(landing.glob(f"*/{feed}")):
            for file in _named_files(folder):
                if file.name.endswith(ending):
                    names, lines = split(file.read_bytes())
                    assert columns in ([], names), f"{feed} changes its columns"
                    columns = names
                    stream.writelines(f"{_day_of(file)}|{line}\n" for line in lines)
    types = {"business_date": "varchar", **dict.fromkeys(columns, "varchar")}
    connection.execute(
        f"create table {feed} as select * replace (cast(business_date as date) as business_date) "
        f"from read_csv('{target}', columns = {types}, delim = '|', quote = '', escape = '', header = false, auto_detect = false)"
    )


@pytest.fixture(scope="module")
def sums(broker, tmp_path_factory):
    """A DuckDB connection that knows landing, the published marts (`published`) and truth (`truth_<file>`)."""
    home, scratch = broker.settings.home, tmp_path_factory.mktemp("landing_text")
    connection = duckdb.connect()
    connection.execute(f"attach '{current(broker.settings.published).file}' as published (read_only)")
    for feed in (*DELIMITED, *FUND_FILES):
        _load_text(connection, broker.settings.landing, feed, scratch)
    for feed in PARQUET:
        connection.execute(
            f"create table {feed} as select cast(regexp_extract(filename, '(\\d{{4}}-\\d{{2}}-\\d{{2}})/', 1) as date) as business_date, "
            f"* exclude (filename) from read_parquet('{broker.settings.landing}/*/{feed}/*.parquet', filename = true)"
        )
    for file in sorted((home / "truth").glob("*.csv")):
        connection.execute(f"create view truth_{file.stem} as select * from read_csv('{file}', all_varchar = true)")
    connection.execute(MACROS)
    connection.execute(VIEWS)
    yield connection
    connection.close()


COMMISSION_MEASURES = ("net_commission_amount", "gross_commission_amount", "turnover_amount")
PUBLISHED_DAY = "business_date > (select min(business_date) from days)"


def _by_key(connection: duckdb.DuckDBPyConnection, query: str) -> dict:
    rows = connection.execute(query).fetchall()
    assert rows, "nothing added up proves nothing"
    assert all(value is not None for _, value in rows)
    return dict(rows)


def _exact(measure: str) -> str:
    return f"sum(cast({measure} as decimal(38, 2)))"


@pytest.mark.parametrize("measure", COMMISSION_MEASURES)
def test_commission_of_each_day_adds_up(sums, measure):
    landed = _by_key(sums, f"select business_date, sum({measure}) from fills where {PUBLISHED_DAY} group by all")
    marts = _by_key(
        sums, f"select business_date, {_exact(measure)} from published.mart_commission_customer_day group by all"
    )
    truth = _by_key(
        sums, f"select cast(business_date as date), {_exact(measure)} from truth_commission_customer_day group by all"
    )
    assert landed == marts == truth


@pytest.mark.parametrize(
    "mart,measure",
    [
        *(("commission_employee_month", measure) for measure in COMMISSION_MEASURES),
        ("commission_branch_month", "net_commission_amount"),
        ("commission_branch_month", "account_branch_net_commission_amount"),
    ],
)
def test_commission_of_each_month_adds_up(sums, mart, measure):
    delivered = measure.removeprefix("account_branch_")
    landed = _by_key(
        sums, f"select strftime(business_date, '%Y-%m'), sum({delivered}) from fills where {PUBLISHED_DAY} group by all"
    )
    marts = _by_key(sums, f"select commission_month, {_exact(measure)} from published.mart_{mart} group by all")
    truth = _by_key(sums, f"select commission_month, {_exact(measure)} from truth_{mart} group by all")
    assert landed == marts == truth


@pytest.mark.parametrize("block", ["cash", "securities"])
def test_assets_of_all_accounts_add_up(sums, block):
    landed = _by_key(
        sums, f"select business_date, sum(amount) from amounts where block = '{block}' and {PUBLISHED_DAY} group by all"
    )
    marts = _by_key(
        sums, f"select as_of_date, {_exact(f'{block}_amount')} from published.mart_customer_account group by all"
    )
    truth = _by_key(
        sums, f"select cast(business_date as date), {_exact(f'{block}_amount')} from truth_accounts group by all"
    )
    assert landed == marts == truth


@pytest.mark.parametrize("block", ["cash", "securities"])
def test_assets_of_all_customers_add_up(sums, block):
    landed = _by_key(
        sums,
        "select business_date, sum(amount) from amounts semi join present using (business_date, business_line, account_id) "
        f"where block = '{block}' and {PUBLISHED_DAY} group by all",
    )
    marts = _by_key(
        sums, f"select as_of_date, {_exact(f'{block}_amount')} from published.mart_customer_profile group by all"
    )
    truth = _by_key(
        sums, f"select cast(business_date as date), {_exact(f'{block}_amount')} from truth_customers group by all"
    )
    assert landed == marts == truth


@pytest.mark.parametrize(
    "measure,landed_measure",
    [
        ("average_20d_sum_amount", "sum(average_20d_sum_amount)"),
        ("average_20d_days", "sum(average_20d_days)"),
        ("average_20d_asset_amount", "cast(sum(average_cents) as decimal(36, 0)) * 0.01"),
    ],
)
def test_numerator_divisor_and_quotient_of_the_average_add_up(sums, measure, landed_measure):
    landed = _by_key(sums, f"select as_of_date, {landed_measure} from averages group by all")
    marts = _by_key(sums, f"select as_of_date, {_exact(measure)} from published.mart_customer_profile group by all")
    truth = _by_key(sums, f"select cast(business_date as date), {_exact(measure)} from truth_customers group by all")
    assert landed == marts == truth


def test_what_is_added_up_is_exact_and_holds_the_hard_cases(sums):
    """No floating point number on the way, and foreign currencies, an unpriced security and short options among the rows."""
    types = {
        column_type
        for table in ("fills", "amounts", "averages")
        for name, column_type, *_ in sums.execute(f"describe {table}").fetchall()
        if "amount" in name
    }
    assert types and all(column_type.startswith("DECIMAL") for column_type in types)
    counts = sums.execute(
        "select (select count(distinct currency_code) from fills), (select count(distinct currency_code) from normal_counter__cash_balances), "
        "(select count(*) from option_holdings where position_side = 'S' and deleted = '0'), "
        "(select count(*) from securities_positions anti join reference__prices using (business_date, exchange_code, security_code))"
    ).fetchone()
    assert counts[0] >= 2 and counts[1] == 3 and counts[2] > 0 and counts[3] > 0
