"""`c360`: parses arguments, calls, prints. Exit codes: 0 done, 2 usage, 3 data stopped, 4 delivery missing, 5 infrastructure."""

from __future__ import annotations

import getpass
import json
import logging
import os
import sys
import traceback
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from spark_jobs.config import Settings, load_settings
from spark_jobs.errors import C360Error, ConfigurationError

if TYPE_CHECKING:
    from spark_jobs.two_persons import TwoPersons

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Customer-360 profile warehouse for securities brokers."
)
# Where nobody watches, a table must not be squeezed into 80 columns.
WIDTH = None if sys.stdout.isatty() else 120
console = Console(highlight=False, width=WIDTH)
errors = Console(stderr=True, highlight=False, width=WIDTH)

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="a business date, yyyy-mm-dd")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]


@app.command()
def simulate(
    customers: Annotated[int, typer.Option(help="how many customers the invented broker has")] = 120,
    days: Annotated[int, typer.Option(help="trading days after the opening baseline")] = 5,
    seed: Annotated[int, typer.Option(help="same seed, same files")] = 1,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="the opening baseline is the first trading day from here")
    ] = datetime(2026, 9, 24),
    fault: Annotated[list[str] | None, typer.Option(help="plant a named fault; `--fault list` names them")] = None,
    migrate_after: Annotated[
        int | None, typer.Option(help="after so many trading days another counter replaces the normal one")
    ] = None,
) -> None:
    """Invent a broker: landing files with manifests, and truth/ beside them."""
    from spark_jobs.jobs.simulation import run_simulation

    run_simulation(load_settings(), customers, days, seed, start.date(), fault or [], migrate_after, console)


@app.command()
def load(
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="load one business date")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="load a range, from this date")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="load a range, to this date")
    ] = None,
    feed: Annotated[list[str] | None, typer.Option(help="only these feeds")] = None,
    accept_shrink: Annotated[
        str | None, typer.Option(metavar="FEED", help="let in this feed's shrunk delivery of --date; needs --reason")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="why it is accepted; kept with the decision")] = None,
    by: Annotated[str | None, typer.Option(help="who decides; without it, the login name")] = None,
    introduce: Annotated[bool, typer.Option(help="end with three things to try next")] = False,
    as_json: AsJson = False,
) -> None:
    """Load business dates through all steps and publish what is complete; without dates, everything that has been delivered."""
    from spark_jobs.jobs import report
    from spark_jobs.jobs.load import load as run_load
    from spark_jobs.jobs.start import start_run
    from spark_jobs.quality.approvals import shrink_request

    settings = load_settings()
    accept = shrink_request(accept_shrink, day.date() if day else None, reason, by)
    days = _days(settings, day, first, last)
    if accept:
        what = {"feed": accept.feed, "business_date": str(accept.business_date), "feeds": feed}
        summary = _decide("accept_shrink", what, accept.reason, by, errors if as_json else console)
    else:
        with start_run(settings, f"load {days[0]} to {days[-1]}", errors if as_json else console) as run:
            summary = report.summarise(run, days, run_load(run, days, feed))
    _tell(summary, as_json)
    if introduce and not as_json:
        report.show_next_steps(settings, console)
    raise typer.Exit(report.exit_code(summary))


def _tell(summary: dict[str, Any], as_json: bool) -> None:
    """What a load did."""
    from spark_jobs.jobs import report

    if as_json:
        print(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        report.show(summary, console)


def _decide(kind: str, what: dict[str, Any], reason: str, by: str | None, told: Console = console) -> Any:
    """Do what two persons must want where the settings say so."""
    from spark_jobs.jobs.decisions import decide

    settings = load_settings()
    return decide(settings, _two_persons(settings), kind, what, reason, by, told)


def _two_persons(settings: Settings) -> TwoPersons:
    from spark_jobs.two_persons import TwoPersons

    return TwoPersons(settings.decisions, at=datetime.now(UTC))


def _days(settings: Settings, day: datetime | None, first: datetime | None, last: datetime | None) -> list[date]:
    from spark_jobs.ingest.deliveries import delivered_days

    if day and (first or last):
        raise ConfigurationError("C360-105", "give --date, or --from and --to, not both")
    delivered = delivered_days(settings.landing)
    low = (day or first or datetime.min).date()
    high = (day or last or datetime.max).date()
    chosen = [known for known in delivered if low <= known <= high]
    if day and not chosen:
        chosen = [day.date()]
    if not chosen:
        raise ConfigurationError(
            "C360-106",
            "there is nothing to load",
            where=f"landing folder {settings.landing}",
            next_step="c360 simulate, or deliver files",
        )
    return chosen


@app.command()
def publish(
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="the business date that waits")],
    without: Annotated[
        str, typer.Option(metavar="FEED", help="the feed that is held or missing: its state before counts")
    ],
    reason: Annotated[str, typer.Option(help="why; kept with the decision")],
    by: Annotated[str | None, typer.Option(help="who decides; without it, the login name")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a day although a feed is held or missing on it; refused for feeds of events."""
    from spark_jobs.jobs import report
    from spark_jobs.quality.approvals import without_request

    request = without_request(without, day.date(), reason, by)
    what = {"feed": request.feed, "business_date": str(request.business_date)}
    summary = _decide("publish_without", what, request.reason, by, errors if as_json else console)
    _tell(summary, as_json)
    raise typer.Exit(report.exit_code(summary))


@app.command()
def restate(
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="the corrected business date")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="required: `c360 load` is what applies a correction")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the customers, employees and ranks that a correction in landing would change; the load is rehearsed in a copy."""
    from spark_jobs.jobs.restate import rehearse, show_rehearsal

    if not dry_run:
        raise typer.BadParameter("give --dry-run; c360 load --date applies the correction")
    found = rehearse(load_settings(), day.date(), errors if as_json else console)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_rehearsal(found, console)
    raise typer.Exit(3 if found["stopped"] else 0)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Every day × feed with its state, and what is published."""
    from spark_jobs.jobs.status import read_status, show

    found = read_status(load_settings())
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show(found, console)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything a load needs before it starts."""
    from spark_jobs.jobs.doctor import examine, show

    findings = examine(load_settings())
    if as_json:
        print(json.dumps(findings, ensure_ascii=False, indent=2))
    else:
        show(findings, console)
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 2)


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="a query on the published day; without it, a shell opens")] = None,
    listed: Annotated[
        Path | None, typer.Option("--import", help="a CSV the query finds as `imported`, personal values as tokens")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="write the result to a new .xlsx, .parquet or .csv; it is audited")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the published day in SQL (DuckDB, read only)."""
    from spark_jobs.jobs.ask import answer, answer_file, shell, show

    settings = load_settings()
    if query is None:
        if listed or to:
            raise typer.BadParameter("--import and --to come with a query")
        shell(settings, console)
        return
    if to:
        rows = answer_file(settings, query, to, listed)
        console.print(f"{rows:,} rows are in {to.name}; the audit log says so", markup=False, soft_wrap=True)
        return
    found = answer(settings, query, listed)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        show(found, console)


@app.command()
def history(
    feed: Annotated[str, typer.Argument(help="a feed with state")],
    key: Annotated[list[str], typer.Argument(help="the values of its key, in the contract's order")],
    as_known_on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"], help="UTC; leave out what was learnt later"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The versions of one row by business date, now or as they were known at an earlier time."""
    from spark_jobs.jobs.ask import show
    from spark_jobs.jobs.versions import read_versions

    found = read_versions(load_settings(), feed, key, as_known_on and f"{as_known_on:%Y-%m-%dT%H:%M:%SZ}")
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        show(found, console)


@app.command()
def diff(
    feed: Annotated[str, typer.Option(help="the feed whose shadow is held against what is in force")],
    mapping: Annotated[str, typer.Option(help="the mapping that is in shadow")],
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="one business date")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="a range, from here")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="a range, to here")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a feed in force with its shadow by key, column and total; ends with 3 when anything differs."""
    from spark_jobs.jobs import diff as job

    if day and (first or last):
        raise ConfigurationError("C360-105", "give --date, or --from and --to, not both")
    low, high = (day or first or datetime.min).date(), (day or last or datetime.max).date()
    found = job.compare(load_settings(), feed, mapping, low, high)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        job.show(found, console)
    raise typer.Exit(job.exit_code(found))


@app.command()
def withdraw(
    feed: Annotated[str, typer.Option(help="the feed whose delivery is taken back")],
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="its business date, yyyy-mm-dd")],
    reason: Annotated[str, typer.Option(help="why; it stays in the ledger")],
    by: Annotated[str | None, typer.Option(help="who decided it; without it, the login name")] = None,
) -> None:
    """Take one feed's delivery of one day back; history becomes what it would be without it."""
    from spark_jobs.jobs.start import start_run
    from spark_jobs.jobs.withdraw import withdraw as run_withdraw

    with start_run(load_settings(), f"withdraw {feed} {day.date()}", console) as run:
        run_withdraw(run, feed, day.date(), reason, by or getpass.getuser())
    console.print(f"{feed} of {day.date()} is withdrawn; c360 load brings gold and the marts in line")


quarantine = typer.Typer(no_args_is_help=True, help="Rows that were held back: list them, look at one, release them.")
app.add_typer(quarantine, name="quarantine")


@quarantine.command("list")
def list_quarantine(
    feed: Annotated[str | None, typer.Option(help="only this feed")] = None,
    day: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="only this business date")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every row in quarantine with its rules, owner, age, state and customer."""
    from spark_jobs.jobs.quarantine import read_quarantine, show_list

    found = read_quarantine(load_settings(), feed, day.date() if day else None)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_list(found, console)


@quarantine.command("show")
def show_quarantine(
    identity: Annotated[str, typer.Argument(metavar="ID", help="as c360 quarantine list names it")],
    as_json: AsJson = False,
) -> None:
    """One row: why it is held back and what was delivered, personal values masked."""
    from spark_jobs.jobs.quarantine import read_row, show_row

    found = read_row(load_settings(), identity)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_row(found, console)


@quarantine.command("release")
def release_quarantine(
    identities: Annotated[list[str], typer.Argument(metavar="ID…", help="as c360 quarantine list names them")],
    reason: Annotated[str, typer.Option(help="why; it stays with the decision")],
    by: Annotated[str | None, typer.Option(help="who decides; without it, the login name")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="the rules they break do not count for them")] = False,
    texts: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=TEXT", help="another text; without =TEXT it is asked for, unseen"),
    ] = None,
) -> None:
    """Bring rows back into the days they belong to, accepted as they are or with other texts."""
    given = dict(one.split("=", 1) if "=" in one else (one, _ask(one)) for one in texts or [])
    _decide("release", {"identities": identities, "accept": accept, "texts": given}, reason, by)


def _ask(column: str) -> str:
    """A text that must not stand in the shell's history."""
    return typer.prompt(column, default="", hide_input=True, show_default=False)


@app.command()
def reconcile(
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="one business date")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="a range, from here")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="a range, to here")] = None,
    check: Annotated[str | None, typer.Option("--explain", help="say why a difference of this check is right")] = None,
    key: Annotated[str | None, typer.Option(help="the key of the difference to explain")] = None,
    why: Annotated[str | None, typer.Option(help="the reason, in words")] = None,
    by: Annotated[str | None, typer.Option(help="who says so; without it, the user of the machine")] = None,
    as_json: AsJson = False,
) -> None:
    """Run every check on days that are loaded, store and print the signed differences; or explain one of them."""
    from spark_jobs.jobs import reconcile as job
    from spark_jobs.jobs.start import start_run

    if day and (first or last):
        raise ConfigurationError("C360-105", "give --date, or --from and --to, not both")
    if check and not (day and key and why):
        raise ConfigurationError("C360-163", "--explain needs --date, --key and --why")
    low, high = (day or first or datetime.min).date(), (day or last or datetime.max).date()
    with start_run(load_settings(), "reconcile", errors if as_json else console) as run:
        found = job.say_why(run, low, check, key, why, by) if check else job.run_checks(run, low, high)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        job.show(found, console)
    raise typer.Exit(job.exit_code(found))


@app.command()
def dictionary(
    mart: Annotated[str | None, typer.Option(help="only this mart")] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="write it as a workbook instead")] = None,
    as_json: AsJson = False,
) -> None:
    """What every column of the marts, and of what is published beside them, means: Chinese name, unit, default, sensitivity, owner and definition."""
    from spark_jobs.jobs.dictionary import export, of_mart, show
    from spark_jobs.publish.dictionary import read_dictionary, read_tables

    found = of_mart([*read_dictionary(), *read_tables()], mart)
    if xlsx:
        export(found, xlsx, console)
    elif as_json:
        print(json.dumps([asdict(entry) for entry in found], ensure_ascii=False, indent=2))
    else:
        show(found, console)


@app.command()
def explain(
    customer: Annotated[str | None, typer.Argument(help="customer id")] = None,
    column: Annotated[str | None, typer.Argument(help="a column of mart_customer_profile")] = None,
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="another published day")] = None,
    employee: Annotated[str | None, typer.Option(help="instead of a customer: an employee, or unassigned")] = None,
    measure: Annotated[str, typer.Option(help="of an employee: an amount of mart_income_attribution")] = "net_amount",
    month: Annotated[str | None, typer.Option(help="of an employee: yyyy-mm")] = None,
    as_json: AsJson = False,
) -> None:
    """Why a figure is what it is: definition, columns and rows of gold, and the rows of the files they came from."""
    from spark_jobs.jobs.explain import explain as run_explain
    from spark_jobs.jobs.explain import show_explanation
    from spark_jobs.jobs.explain_employee import explain_employee, show_employee

    if employee and month and not customer:
        found, show = explain_employee(load_settings(), employee, measure, month), show_employee
    elif customer and column and not employee:
        found, show = run_explain(load_settings(), customer, column, day.date() if day else None), show_explanation
    else:
        raise typer.BadParameter("name a customer and a column, or --employee and --month")
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show(found, console)


@app.command()
def impact(
    column: Annotated[str, typer.Argument(help="a column of gold or of a mart, as column or table.column")],
    as_json: AsJson = False,
) -> None:
    """What depends on a column: columns of marts, lists of calls, notebooks."""
    from spark_jobs.jobs.explain import impact as run_impact
    from spark_jobs.jobs.explain import show_impact

    with errors.status("reading the statements of the published revision"):
        found = run_impact(load_settings(), column)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_impact(found, console)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8360,
    workers: Annotated[int, typer.Option(help="processes that answer", min=1, max=64)] = 1,
) -> None:
    """Answer questions over the published day by HTTP, by role and with an audit line each, until stopped."""
    from serving.run import run

    run(load_settings(), host, port, workers, console)


@app.command("serve-export")
def serve_export(
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="the day in China it was written on")],
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="where deliveries lie; without it, landing")
    ] = None,
    by: Annotated[str | None, typer.Option(help="who does it; without it, the login name")] = None,
) -> None:
    """Write a day's calls and words of phones as deliveries of the call platform, so that they come back as a feed."""
    from serving.run import write_feeds

    found = write_feeds(load_settings(), day.date(), into, by or getpass.getuser())
    console.print(
        f"{found['calls']} calls and {found['words']} words of {found['day']} are delivered; left out: {found['left_out']}"
    )


@app.command()
def erase(
    customer: Annotated[str, typer.Argument(help="customer id")],
    reason: Annotated[str, typer.Option(help="why; it is kept in the log, so without anybody's data")],
    on: Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="today's date, yyyy-mm-dd")],
    by: Annotated[str | None, typer.Option(help="who decided it; without it, the login name")] = None,
) -> None:
    """Destroy the keys of a customer for good; refused while the law requires his records."""
    _decide("erase", {"customer": customer, "on": str(on.date())}, reason, by)


@app.command("rotate-keys")
def rotate_keys(
    tokens: Annotated[bool, typer.Option("--tokens", help="the token key instead: every token is made anew")] = False,
) -> None:
    """Put the next master key, or the next token key, in force; may be stopped and run again."""
    from spark_jobs.jobs.rotate_keys import rotate_keys as run_rotation
    from spark_jobs.lock import writer_lock

    settings = load_settings()
    if tokens:
        _renew_tokens(settings)
        return
    with writer_lock(settings.work, "rotate keys"):
        found = run_rotation(settings.vault, os.environ)
    console.print(
        f"master key {found.now} is in force instead of {found.before}; {found.rewrapped} data keys were wrapped anew"
    )


def _renew_tokens(settings: Settings) -> None:
    from serving.work import open_work, renew_written
    from spark_jobs.jobs.renew_tokens import renew
    from spark_jobs.jobs.start import start_run

    work = open_work(settings, os.environ)
    try:
        with start_run(settings, "renew tokens", console, is_renewal=True) as run:
            found = renew(run, os.environ, lambda renewed: renew_written(work, renewed))
    finally:
        work.close()
    console.print(
        f"token key {found.now} is in force instead of {found.before}; {found.tables} tables, {found.files} published files and "
        f"{found.written} rows of what people wrote were made anew",
        soft_wrap=True,
    )  # fmt: skip


period = typer.Typer(no_args_is_help=True, help="Months of pay: lock one, adjust one by two people, list them.")
app.add_typer(period, name="period")


@period.command("lock")
def lock_month(
    month: Annotated[str, typer.Argument(help="yyyy-mm")],
    reason: Annotated[str, typer.Option(help="why; it is kept")],
    by: Annotated[str | None, typer.Option(help="who decided it; without it, the login name")] = None,
) -> None:
    """Lock a month as it is published now: what is corrected later is an adjustment in an open month."""
    _decide("lock_month", {"month": month}, reason, by)


@period.command("adjust")
def adjust_month(
    employee: Annotated[str, typer.Option(help="employee_id, or unassigned")],
    branch: Annotated[str, typer.Option(help="branch_id of the employee, or unassigned")],
    line: Annotated[str, typer.Option(help="business line: normal, credit, option, fund, advice or fund_advice")],
    kind: Annotated[str, typer.Option(help="kind of income, such as commission")],
    amount: Annotated[str, typer.Option(help="CNY after deductions, signed, at most two decimals")],
    month: Annotated[str, typer.Option("--period", help="the open month it counts for, yyyy-mm")],
    reason: Annotated[str, typer.Option(help="why; it is kept, so without anybody's data")],
    origin: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day it is about, where it is one day")
    ] = None,
    by: Annotated[str | None, typer.Option(help="who proposes it; without it, the login name")] = None,
) -> None:
    """Propose an adjustment of pay; it counts once another person confirms it."""
    from spark_jobs.jobs.adjust import Proposal, propose
    from spark_jobs.jobs.start import start_run

    who, day = by or getpass.getuser(), origin.date() if origin else None
    proposal = Proposal(employee, branch, line, kind, amount, month, reason, who, day)
    with start_run(load_settings(), f"adjust {month}", console) as run:
        number = propose(run, proposal)
    console.print(f"adjustment {number} is proposed; another person: c360 period confirm {number} --by …")


@period.command("confirm")
def confirm_adjustment(
    number: Annotated[int, typer.Argument(help="as c360 period list names it")],
    by: Annotated[str | None, typer.Option(help="who confirms it; without it, the login name")] = None,
) -> None:
    """Let a proposed adjustment count from the next publication on; refused for the person who proposed it."""
    from spark_jobs.jobs.adjust import confirm
    from spark_jobs.jobs.start import start_run

    with start_run(load_settings(), f"confirm adjustment {number}", console) as run:
        revision = confirm(run, number, by or getpass.getuser())
    console.print(f"adjustment {number} counts; revision {revision}, the next that is published, has it")


@period.command("what-if")
def ask_what_if(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV of bonus and transfer ratios; see docs/measures.md")
    ],
    month: Annotated[str, typer.Option(help="a published month, yyyy-mm")],
    as_json: AsJson = False,
) -> None:
    """What every employee's month would count under another table of ratios, with ranks before and after; nothing is changed."""
    from spark_jobs.jobs.what_if import show_what_if, what_if

    found = what_if(load_settings(), table, month)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_what_if(found, console)


@period.command("list")
def list_months(as_json: AsJson = False) -> None:
    """Locked months, adjustments that were proposed and confirmed, and what is published as adjusted."""
    from spark_jobs.jobs.period import read_periods, show_periods

    found = read_periods(load_settings())
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_periods(found, console)


handover = typer.Typer(no_args_is_help=True, help="The performance platform: an extract for it, its relations back.")
app.add_typer(handover, name="handover")


@handover.command("extract")
def extract_for_platform(
    month: Annotated[str | None, typer.Option(help="a published month, yyyy-mm")] = None,
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="a published day")] = None,
) -> None:
    """Write performance and attribution as they are published, with control totals; what is there already stays as it is."""
    from spark_jobs.handover.extract import extract

    if (month is None) == (day is None):
        raise typer.BadParameter("give --month or --date")
    folder, is_new = extract(load_settings(), month or day.date().isoformat())
    console.print(f"{'written' if is_new else 'already there'}: {folder}", markup=False, soft_wrap=True)


@handover.command("import")
def import_from_platform(
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="business date of the relations")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="where it delivers; without it, handover/incoming")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="also in place of a delivery of another sender")] = False,
) -> None:
    """Check the platform's relations of a day and put them into landing as a delivery of staff_platform__relations."""
    from spark_jobs.handover.relations import import_relations

    settings = load_settings()
    rows, is_new = import_relations(settings, day.date(), source or settings.handover / "incoming", replace)
    what = "are in landing" if is_new else "were in landing already"
    console.print(f"{rows} relations of {day.date()} {what}; next: c360 load --date {day.date()}")


api_key = typer.Typer(no_args_is_help=True, help="Keys of callers of `c360 serve`: make, list, revoke.")
app.add_typer(api_key, name="api-key")


@api_key.command("create")
def create_api_key(
    role: Annotated[str, typer.Option(help="a role of serving/roles.yml")],
    branch: Annotated[str | None, typer.Option(help="branch_id, for roles that need one")] = None,
    employee: Annotated[str | None, typer.Option(help="employee_id, for roles that need one")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="read, write, export or reveal; without it, read")] = None,
    days: Annotated[int, typer.Option(help="how long it is valid")] = 90,
    note: Annotated[str, typer.Option(help="whose it is")] = "",
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from serving.run import api_keys

    key, identity = api_keys(load_settings()).create(role, days, branch, employee, scope or ["read"], note)
    errors.print(f"key {identity}, {role}, for {days} days; it cannot be shown again", markup=False)
    print(key)


@api_key.command("list")
def list_api_keys(as_json: AsJson = False) -> None:
    """Every key with its role, scopes and expiry, and never the key."""
    from serving.run import api_keys, show_keys

    found = api_keys(load_settings()).listed()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_keys(found, console)


@api_key.command("revoke")
def revoke_api_key(
    identity: Annotated[str, typer.Argument(metavar="ID", help="as c360 api-key list names it")],
) -> None:
    """Refuse a key from its next request on."""
    from serving.run import api_keys

    api_keys(load_settings()).revoke(identity)
    console.print(f"key {identity} is revoked", markup=False)


audit = typer.Typer(no_args_is_help=True, help="The log of who asked for whom: verify, export.")
app.add_typer(audit, name="audit")


@audit.command("verify")
def verify_audit(as_json: AsJson = False) -> None:
    """Check every line and seal of the log; ends with 3 when one was altered, dropped or put in."""
    from serving.run import show_findings, verify_log

    found = verify_log(load_settings())
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_findings(found, console)
    raise typer.Exit(3 if any(one["state"] == "broken" for one in found) else 0)


@audit.command("export")
def export_audit(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day, UTC")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day, UTC")],
) -> None:
    """Print the lines of days as JSON, one a line."""
    from serving.audit import lines

    for fields in lines(load_settings().audit, first.date(), last.date()):
        print(json.dumps(fields, ensure_ascii=False))


approvals = typer.Typer(
    no_args_is_help=True, help="What one person asked for and another must agree to: list, confirm."
)
app.add_typer(approvals, name="approvals")


@approvals.command("list")
def list_requests(as_json: AsJson = False) -> None:
    """Every request: what, why, by whom, and how far it is; `asked` waits for a second person."""
    from spark_jobs.jobs.decisions import listed, show_requests

    found = listed(_two_persons(load_settings()))
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_requests(found, console)


@approvals.command("confirm")
def confirm_request(number: Annotated[int, typer.Argument(help="as c360 approvals list names it")]) -> None:
    """Agree to what another person asked for, and do it."""
    from spark_jobs.jobs import report
    from spark_jobs.jobs.decisions import confirm

    settings = load_settings()
    kind, found = confirm(settings, _two_persons(settings), number, console)
    if kind in ("accept_shrink", "publish_without"):
        report.show(found, console)
        raise typer.Exit(report.exit_code(found))


@approvals.command("roles")
def take_roles(
    reason: Annotated[str, typer.Option(help="why the roles changed")],
    by: Annotated[str | None, typer.Option(help="who decides; without it, the login name")] = None,
) -> None:
    """Let `c360 serve` take serving/roles.yml as it is now; needed where two persons decide."""
    _decide("take_roles", {}, reason, by)


@app.command()
def rollback(
    revision: Annotated[int, typer.Option(help="a kept revision; see c360 status")],
    reason: Annotated[str, typer.Option(help="why; needed where two persons decide")] = "",
    by: Annotated[str | None, typer.Option(help="who decides; without it, the login name")] = None,
    cockpit: Annotated[bool, typer.Option("--cockpit", help="of the institutional cockpit alone")] = False,
) -> None:
    """Publish an earlier revision again, in one step."""
    _decide("rollback", {"revision": revision} | ({"cockpit": True} if cockpit else {}), reason, by)


@app.command()
def setup() -> None:
    """Fetch the jars once and keep them inside the project."""
    from spark_jobs.session import fetch_jars

    console.print(f"{len(fetch_jars(load_settings()))} jars are in place")


def main() -> None:
    """Entry point. A known error prints as itself; anything else goes to the log file and is named in one line."""
    try:
        app()
    except C360Error as error:
        errors.print(str(error), markup=False)
        sys.exit(error.exit_code)
    except Exception as error:
        log = _log_crash()
        errors.print(
            f"C360-599: {type(error).__name__}, which nobody foresaw\n  next: read {log}, then run the same command again",
            markup=False,
        )
        sys.exit(5)


def _log_crash() -> Path:
    folder = load_settings().logs
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "c360.log"
    logging.basicConfig(filename=path, format="%(asctime)s %(levelname)s %(message)s")
    logging.error("unforeseen error\n%s", traceback.format_exc())
    return path


if __name__ == "__main__":
    main()
