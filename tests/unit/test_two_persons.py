"""One person asks, another agrees, to exactly that and in the state it was seen in; then it is done once."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from spark_jobs import cli
from spark_jobs.config import POSTGRES_VARIABLE, load_settings
from spark_jobs.errors import ConfigurationError, InfrastructureError
from spark_jobs.ingest.vault import load_keys
from spark_jobs.jobs import decisions
from spark_jobs.jobs.decisions import DECISIONS, Decision, confirm, decide
from spark_jobs.lock import writer_lock
from spark_jobs.publish.duckdb_store import in_force
from spark_jobs.two_persons import AGREED, ASKED, CHANGED, DONE, FAILED, TwoPersons, must_be_agreed_roles, roles_digest
from tests.api.builders import build_home, publish

AT = datetime(2026, 10, 9, 8, 0, tzinfo=UTC)
WHAT = {"revision": 3}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A decision of its own: `seen` is what the test says, what is carried out is kept."""

    class House:
        settings = load_settings(home=tmp_path, two_persons=True)
        seen = "as it is"

        def person(self, who: str) -> TwoPersons:
            return TwoPersons(self.settings.decisions, who, AT)

        def give(self, who: str, what=WHAT, reason="why", by=None):
            return decide(self.settings, self.person(who), "act", what, reason, by, Console())

        def confirm(self, who: str, number: int):
            return confirm(self.settings, self.person(who), number, Console())

        def steps(self) -> list[str]:
            return [one.step for one in self.person("anybody").requests()]

        def carry_out(self, settings, what, reason, who, console):
            self.done.append((what, reason, who))

    one = House()
    one.done = []
    monkeypatch.setitem(DECISIONS, "act", Decision(lambda s, a: one.seen, one.carry_out, texts="texts"))
    return one


def refused(code: str, act, *arguments, **more) -> None:
    with pytest.raises(ConfigurationError) as caught:
        act(*arguments, **more)
    assert caught.value.code == code


@pytest.mark.parametrize("way", ["command", "confirm"])
def test_nobody_else_writes_between_the_look_and_the_act(house, way):
    lock = house.settings.work / "writer.lock"

    def is_free() -> bool:
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    refused("C360-133", house.give, "li")
    assert is_free()
    found = []

    def look(settings, arguments):
        found.append(is_free())
        return house.seen

    def act(settings, *rest):
        with writer_lock(settings.work, "the act itself"):
            found.append(is_free())

    DECISIONS["act"] = Decision(look, act, texts="texts")
    house.give("wang") if way == "command" else house.confirm("wang", 1)
    assert found == [False, False] and is_free()


def test_nothing_is_asked_for_while_somebody_writes(house):
    house.settings.work.mkdir(parents=True)
    with (house.settings.work / "writer.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InfrastructureError, match="C360-501"):
            house.give("li")
    assert house.steps() == []


def test_nothing_is_done_before_a_second_person_agrees(house):
    refused("C360-133", house.give, "li")
    assert (house.done, house.steps()) == ([], [ASKED])


@pytest.mark.parametrize("way", ["command", "confirm"])
def test_a_second_person_carries_it_out_once_with_both_names_and_the_first_ones_reason(house, way):
    refused("C360-133", house.give, "li")
    house.give("wang", reason="other words") if way == "command" else house.confirm("wang", 1)
    assert house.done == [(WHAT, "why", "li, agreed by wang")]
    assert house.steps() == [DONE]
    refused("C360-136", house.confirm, "wang", 1)


def test_the_first_person_is_refused_in_both_ways(house):
    refused("C360-133", house.give, "li")
    refused("C360-134", house.give, "li")
    refused("C360-134", house.confirm, "li", 1)
    assert (house.done, house.steps()) == ([], [ASKED])


@pytest.mark.parametrize("way", ["command", "confirm"])
def test_a_request_whose_object_has_changed_is_refused_and_closed(house, way):
    refused("C360-133", house.give, "li")
    house.seen = "otherwise"
    refused("C360-135", *((house.give, "wang") if way == "command" else (house.confirm, "wang", 1)))
    house.seen = "as it is"
    refused("C360-136", house.confirm, "wang", 1)
    assert (house.done, house.steps()) == ([], [CHANGED])


def test_asking_again_after_a_change_is_a_new_request(house):
    refused("C360-133", house.give, "li")
    house.seen = "otherwise"
    refused("C360-133", house.give, "li")
    assert house.steps() == [CHANGED, ASKED]


def test_other_arguments_are_another_request(house):
    refused("C360-133", house.give, "li")
    refused("C360-133", house.give, "wang", {"revision": 4})
    assert house.done == []


def test_nobody_decides_in_anothers_name_or_without_a_reason(house):
    refused("C360-137", house.give, "li", by="wang")
    refused("C360-137", house.give, "li", reason="  ")
    assert house.steps() == []


def test_a_request_that_failed_is_closed(house, monkeypatch):
    def fail(*_):
        raise OSError("no disk")

    monkeypatch.setitem(DECISIONS, "act", Decision(lambda s, a: "as it is", fail))
    refused("C360-133", house.give, "li")
    with pytest.raises(OSError):
        house.give("wang")
    assert house.steps() == [FAILED]
    refused("C360-136", house.confirm, "zhao", 1)


def test_texts_stand_nowhere_and_are_typed_by_both(house):
    texts = {"texts": {"phone": "13900000007"}}
    refused("C360-133", house.give, "li", texts)
    assert "13900000007" not in (house.settings.decisions / "requests.jsonl").read_text()
    refused("C360-136", house.confirm, "wang", 1)
    refused("C360-133", house.give, "wang", {"texts": {"phone": "13900000008"}})
    house.give("wang", texts)
    assert [what for what, _, _ in house.done] == [texts]


def test_two_who_agree_at_once_do_it_once(house, monkeypatch):
    """The second one comes while the first one looks, while the act runs, and when it is over."""
    refused("C360-133", house.give, "li")

    def comes_too(error: type[Exception], code: str) -> None:
        with ThreadPoolExecutor(1) as other, pytest.raises(error, match=code):
            other.submit(house.confirm, "zhao", 1).result()

    def look(settings, arguments):
        comes_too(InfrastructureError, "C360-501")
        return house.seen

    def carry_out(*arguments):
        comes_too(ConfigurationError, "C360-136")
        house.carry_out(*arguments)

    monkeypatch.setitem(DECISIONS, "act", Decision(look, carry_out))
    house.confirm("wang", 1)
    refused("C360-136", house.confirm, "zhao", 1)
    assert house.done == [(WHAT, "why", "li, agreed by wang")]


def test_a_line_a_crash_cut_off_does_not_count_and_one_of_a_killed_act_waits_for_nobody(house):
    refused("C360-133", house.give, "li")
    file = house.settings.decisions / "requests.jsonl"
    with file.open("a") as lines:
        lines.write(json.dumps({"number": 1, "step": AGREED, "who": "wang", "at": ""})[:20])
    assert house.steps() == [ASKED]
    house.confirm("wang", 1)
    assert (len(house.done), house.steps()) == (1, [DONE])


def test_without_the_setting_one_person_is_enough(house):
    house.settings = house.settings.model_copy(update={"two_persons": False})
    house.give("li", by="li")
    assert house.done == [(WHAT, "why", "li")]
    assert not house.settings.decisions.exists()


def test_roles_are_served_only_as_two_persons_took_them_last(house, tmp_path, monkeypatch):
    roles = tmp_path / "roles.yml"
    roles.write_text("first")
    monkeypatch.setitem(DECISIONS, decisions.ROLES, Decision(lambda s, a: roles_digest(roles), decisions._take_roles))
    refused("C360-138", must_be_agreed_roles, house.settings, roles)
    for version in ("first", "second"):
        roles.write_text(version)
        refused("C360-133", decide, house.settings, house.person("li"), decisions.ROLES, {}, "why", None, Console())
        refused("C360-138", must_be_agreed_roles, house.settings, roles)
        house.confirm("wang", int(version == "second") + 1)
        must_be_agreed_roles(house.settings, roles)
    roles.write_text("first")
    refused("C360-138", must_be_agreed_roles, house.settings, roles)


def test_what_the_first_person_makes_the_group_may_write(house):
    """Under the strictest mask a shell has."""
    before = os.umask(0o077)
    try:
        refused("C360-133", house.give, "li")
    finally:
        os.umask(before)
    folder = house.settings.decisions
    assert [stat.S_IMODE(place.stat().st_mode) for place in (folder, folder / "requests.jsonl")] == [0o770, 0o660]


def test_an_account_that_may_not_write_is_told_so(house, monkeypatch):
    def no(*_: object, **__: object) -> int:
        raise PermissionError

    monkeypatch.setattr("spark_jobs.two_persons.os.open", no)
    refused("C360-139", house.give, "li")


def test_a_real_rollback_waits_for_the_second_person_and_then_serves_the_earlier_revision(tmp_path, monkeypatch):
    """On the commands, with two published files; the second person needs the number alone."""
    build_home(tmp_path)
    publish(tmp_path, load_keys(tmp_path / "vault", {}), revision=2, shift=1)
    monkeypatch.delenv(POSTGRES_VARIABLE, raising=False)
    environment = {"C360_HOME": str(tmp_path), "C360_TWO_PERSONS": "true"}

    def run(who: str, *command: str) -> object:
        monkeypatch.setattr(cli, "_two_persons", lambda settings: TwoPersons(settings.decisions, who, AT))
        return CliRunner().invoke(cli.app, list(command), env=environment).exception

    asked = run("li", "rollback", "--revision", "1", "--reason", "yesterday was right")
    assert asked.code == "C360-133" and in_force(tmp_path / "published").revision == 2
    assert run("li", "approvals", "confirm", "1").code == "C360-134"
    assert in_force(tmp_path / "published").revision == 2
    assert run("wang", "approvals", "confirm", "1") is None
    assert in_force(tmp_path / "published").revision == 1
    assert run("wang", "approvals", "confirm", "1").code == "C360-136"
