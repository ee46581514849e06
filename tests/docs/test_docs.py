"""The documentation names what exists and nothing else: commands, targets, settings, error codes, marts, files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer.main

from spark_jobs.cli import app
from spark_jobs.config import PROJECT, Settings
from spark_jobs.publish.marts import MARTS

READMES = [PROJECT / "README.md", PROJECT / "README.zh.md"]
PAGES = sorted([*READMES, PROJECT / "CHANGELOG.md", *(PROJECT / "docs").rglob("*.md")])
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
COMMANDS = typer.main.get_command(app).commands
# A group's commands count under its name.
ALL = {name: [command, *getattr(command, "commands", {}).values()] for name, command in COMMANDS.items()}
# Read outside the settings: where they are, the two keys, a connection string, and the jars, which a session needs before settings exist.
OTHER_VARIABLES = {
    "C360_SETTINGS_FILE", "C360_SECRET_MASTER_KEY", "C360_SECRET_TOKEN_KEY", "C360_SECRET_POSTGRES", "C360_JARS",
}  # fmt: skip

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ERROR_CODE = re.compile(r"C360-\d{3}(?!\d)")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _code(path: Path) -> str:
    """Everything set as code: a command in a sentence without it is only a word."""
    return "\n".join(_CODE.findall(_read(path)))


def _name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def _prose(path: Path) -> str:
    if path.suffix != ".ipynb":
        return _read(path)
    cells = json.loads(_read(path))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    for command in ALL[name]:
        assert command.help
        assert not [option.name for option in command.params if not getattr(option, "help", None)]


@pytest.mark.parametrize("page", READMES, ids=_name)
def test_readme_names_every_command(page: Path) -> None:
    assert set(COMMANDS) <= set(re.findall(r"c360 ([a-z][a-z-]*)", _code(page)))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_page_names_no_command_that_does_not_exist(page: Path) -> None:
    assert set(re.findall(r"c360 ([a-z][a-z-]*)", _code(page))) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_page_gives_a_command_only_options_it_has(page: Path) -> None:
    known = {f"{name} {option}" for name, all_ in ALL.items() for c in all_ for p in c.params for option in p.opts}
    used = set()
    for line in _code(page).splitlines():
        for name, rest in re.findall(r"c360 ([a-z][a-z-]*)([^`#]*)", line):
            used |= {f"{name} {option}" for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)}
    assert used <= known


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", _read(PROJECT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?<![\w./-])make ([a-z][a-z-]*)", _code(page))) <= targets


@pytest.mark.parametrize("page", READMES, ids=_name)
def test_readme_names_every_setting_and_no_other(page: Path) -> None:
    settings = {f"C360_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"C360_[A-Z][A-Z_]*[A-Z]", _read(page)))
    assert named == settings | OTHER_VARIABLES


@pytest.mark.parametrize("page", READMES, ids=_name)
def test_readme_states_the_defaults_in_force(page: Path) -> None:
    rows = dict(re.findall(r"^\| `(C360_\w+)` \| (.*?) \|", _read(page), re.MULTILINE))
    for name in ("spark_master", "driver_memory", "shuffle_partitions", "threads", "relation_lag_trading_days",
                 "margin_watch_line", "revisions_kept"):  # fmt: skip
        assert rows[f"C360_{name.upper()}"].strip("`") == str(Settings.model_fields[name].default)


@pytest.mark.parametrize("page", READMES, ids=_name)
def test_readme_names_every_mart(page: Path) -> None:
    assert set(re.findall(r"^\| `(mart_\w+)` \|", _read(page), re.MULTILINE)) == set(MARTS)


def test_both_readmes_have_the_same_shape() -> None:
    english, chinese = (_read(page) for page in READMES)
    for what in (r"^## ", r"^\| ", r"^```", r"^\d\. "):
        assert len(re.findall(what, english, re.MULTILINE)) == len(re.findall(what, chinese, re.MULTILINE)), what
    assert sorted(set(_LINK.findall(english)) - {"README.zh.md"}) == sorted(set(_LINK.findall(chinese)) - {"README.md"})


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(_prose(page)) if not re.match(r"https?://|#", link)]
    for link in links:
        file, _, heading = link.partition("#")
        assert (page.parent / file).exists(), f"{link} does not exist"
        if heading:
            headings = re.findall(r"^#+ (.+)$", _read(page.parent / file), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in headings}


def test_error_page_explains_exactly_the_codes_of_the_source() -> None:
    python = [path for folder in ("spark_jobs", "serving") for path in (PROJECT / folder).rglob("*.py")]
    sources = [*python, *(PROJECT / "scripts").glob("*.sh")]
    raised = {code for path in sources for code in _ERROR_CODE.findall(_read(path))}
    explained = re.findall(r"^\| (C360-\d{3}) \|", _read(PROJECT / "docs" / "errors.md"), re.MULTILINE)
    assert len(explained) == len(set(explained))
    assert set(explained) == raised


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_page_names_no_code_that_is_not_explained(page: Path) -> None:
    explained = set(_ERROR_CODE.findall(_read(PROJECT / "docs" / "errors.md")))
    assert set(_ERROR_CODE.findall(_read(page))) <= explained


def test_feeds_page_explains_every_contract_key_and_type() -> None:
    from spark_jobs import contracts

    text = _read(PROJECT / "docs" / "feeds.md")
    words = contracts._TOP_LEVEL | contracts._COLUMN_KEYS | set(contracts.TYPES) | set(contracts.FORMATS)
    words |= set(contracts.MODES) | set(contracts.PERSONAL_CLASSES)
    quoted = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    assert words - {"delivery", "grain", "delete", "columns"} <= quoted
