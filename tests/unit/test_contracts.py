from pathlib import Path

import pytest

from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError

GOOD = """
feed: counter__things
owner: somebody
delivery: {format: delimited, file: "things_{business_date}.txt"}
grain: {one_row_per: thing and business date, key: [thing_id]}
mode: full
columns:
  - {to: thing_id, type: string, required: true}
"""


def test_every_contract_of_the_catalogue_is_sound():
    catalogue = load_catalogue()
    assert len(catalogue) == 56
    assert all(set(contract.key) <= {column.name for column in contract.columns} for contract in catalogue)


def test_all_faults_of_all_files_are_reported_together(tmp_path: Path):
    (tmp_path / "one.yml").write_text(
        GOOD.replace("mode: full", "mode: sometimes").replace("type: string", "type: float")
    )
    (tmp_path / "two.yml").write_text(GOOD.replace("key: [thing_id]", "key: [nobody]"))
    with pytest.raises(ConfigurationError) as error:
        load_catalogue(tmp_path)
    assert "3 faults" in str(error.value)
    for expected in (
        "one.yml: mode is sometimes",
        "one.yml: column thing_id has type float",
        "two.yml: key column nobody",
    ):
        assert expected in str(error.value)


def test_a_personal_column_needs_a_known_class(tmp_path: Path):
    (tmp_path / "one.yml").write_text(GOOD + "  - {to: nickname, type: string, personal: secret}\n")
    with pytest.raises(ConfigurationError, match="personal class secret"):
        load_catalogue(tmp_path)


def test_an_identity_needs_the_column_of_its_kind(tmp_path: Path):
    (tmp_path / "one.yml").write_text(GOOD + "  - {to: number, type: string, personal: identity}\n")
    with pytest.raises(ConfigurationError, match="needs a kind_column"):
        load_catalogue(tmp_path)


def test_a_personal_column_leaves_only_derived_columns_in_bronze():
    contract = load_catalogue()["normal_counter__clients"]
    assert "client_name" not in contract.bronze_columns
    assert {"client_name_token", "client_name_masked", "mobile_phone_token"} <= set(contract.bronze_columns)


def test_an_unknown_feed_is_named_with_its_choices():
    with pytest.raises(ConfigurationError, match="no feed nothing"):
        load_catalogue()["nothing"]


SHRINK = "shrink_limit: {rows: 5%, against: median of 5 trading days, minimum: 100}\n"


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("rows: 5%", "rows: 5", "shrink_limit rows is 5, not a percentage"),
        ("rows: 5%", "sum(other): 5%", "shrink_limit sum(other) is not one of the control totals"),
        ("median of 5 trading days", "yesterday", "shrink_limit.against is not"),
        ("minimum: 100", "minimum: many", "shrink_limit.minimum is not a number of rows"),
        ("mode: full", "mode: event", "shrink_limit speaks of full feeds only"),
    ],
)
def test_a_shrink_limit_that_says_nothing_is_a_fault(tmp_path: Path, right: str, wrong: str, fault: str):
    (tmp_path / "one.yml").write_text(GOOD + SHRINK)
    assert len(load_catalogue(tmp_path)["counter__things"].shrink_limit) == 1
    (tmp_path / "one.yml").write_text((GOOD + SHRINK).replace(right, wrong))
    with pytest.raises(ConfigurationError, match="C360-101") as error:
        load_catalogue(tmp_path)
    assert fault in str(error.value)
