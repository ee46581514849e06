"""Personal columns are replaced by tokens and derivations. Every value is invented."""

from datetime import date

import pyarrow as pa
import pytest

from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.privacy import MISPLACED, PersonalColumn, derived_columns, tokenise, withhold_misplaced
from spark_jobs.ingest.vault import Keys, Vault, VaultError, last_four_token, token

KEYS = Keys(master_key=b"m" * 32, token_key=b"t" * 32)
AS_OF = date(2026, 1, 5)
NUMBER = "110101199003070011"
IDENTITY = PersonalColumn("id_no", "identity", "id_kind", {"0": "resident_id", "1": "passport"})
PHONE = PersonalColumn("mobile", "phone")
NAME = PersonalColumn("client_name", "name")
SUBJECT = ("counter", "client_id")


@pytest.fixture
def vault(tmp_path):
    opened = Vault(tmp_path / "vault", KEYS)
    yield opened
    opened.close()


def identities(*values: tuple[str | None, str | None, str | None]) -> pa.Table:
    clients, kinds, numbers = zip(*values, strict=True)
    return pa.table({name: pa.array(column, pa.string()) for name, column in
                     (("client_id", clients), ("id_kind", kinds), ("id_no", numbers))})  # fmt: skip


def identity_rows(vault: Vault, *values, column: PersonalColumn = IDENTITY) -> list[dict]:
    return tokenise(identities(*values), [column], SUBJECT, KEYS, vault, AS_OF).to_pylist()


def test_derived_columns_stand_in_place_of_the_clear_one(vault):
    batch = pa.table({"client_id": ["7"], "client_name": ["王小明"], "mobile": ["138-0000-0001"], "city": ["a"]})
    found = tokenise(batch, [PHONE, NAME], SUBJECT, KEYS, vault, AS_OF)
    assert found.column_names == ["client_id", *derived_columns(NAME), *derived_columns(PHONE), "city"]
    assert found.to_pylist() == [
        {
            "client_id": "7",
            "client_name_token": token(KEYS, "name", "", "王小明"),
            "client_name_masked": "王**",
            "mobile_token": token(KEYS, "phone", "", "13800000001"),
            "mobile_masked": "138****0001",
            "mobile_kind": "mobile",
            "mobile_last_four_token": last_four_token(KEYS, "phone", "0001"),
            "city": "a",
        }
    ]


def test_resident_number_gives_all_its_derivations(vault):
    (found,) = identity_rows(vault, ("7", "0", NUMBER))
    assert found == {
        "client_id": "7",
        "id_kind": "0",
        "id_no_token": token(KEYS, "identity", "resident_id", NUMBER),
        "id_no_masked": "110***************",
        "id_no_check": "valid",
        "id_no_birth_date": "19900307",
        "id_no_gender": "male",
        "id_no_last_four_token": last_four_token(KEYS, "identity", "0011"),
    }


def test_old_and_full_width_spellings_share_one_token(vault):
    full_width = "".join(chr(ord(sign) + 0xFEE0) for sign in NUMBER)
    found = identity_rows(vault, ("1", "0", NUMBER), ("2", "0", "110101900307001"), ("3", "0", full_width))
    assert len({each["id_no_token"] for each in found}) == 1


def test_lower_case_x_shares_the_token(vault):
    found = identity_rows(vault, ("1", "0", "11010119900307002X"), ("2", "0", "11010119900307002x"))
    assert len({each["id_no_token"] for each in found}) == 1


def test_country_code_forms_share_one_token(vault):
    batch = pa.table({"client_id": ["1", "2", "3"], "mobile": ["13800000001", "+86 13800000001", "008613800000001"]})
    found = tokenise(batch, [PHONE], SUBJECT, KEYS, vault, AS_OF)
    assert len(set(found["mobile_token"].to_pylist())) == 1


def test_one_number_under_two_kinds_gives_two_tokens(vault):
    found = identity_rows(vault, ("1", "0", NUMBER), ("1", "1", NUMBER))
    assert found[0]["id_no_token"] != found[1]["id_no_token"]
    assert [each["id_no_check"] for each in found] == ["valid", "not_checked"]


def test_unmapped_or_missing_kind_counts_as_other(vault):
    found = identity_rows(vault, ("1", "99", NUMBER), ("2", None, NUMBER))
    assert {each["id_no_token"] for each in found} == {token(KEYS, "identity", "other", NUMBER)}


def test_feed_without_a_kind_column_maps_the_empty_code(vault):
    column = PersonalColumn("id_no", "identity", None, {"": "resident_id"})
    assert identity_rows(vault, ("1", "99", NUMBER), column=column)[0]["id_no_check"] == "valid"


def test_empty_values_are_null_everywhere(vault):
    found = identity_rows(vault, ("1", "0", None), ("2", "0", " "), ("3", None, ""))
    assert {each[name] for each in found for name in derived_columns(IDENTITY)} == {None}


def test_values_can_be_revealed_for_their_own_client_only(vault):
    found = identity_rows(vault, (" 1 ", "0", "110101900307001"), ("2", "0", "x"))
    assert vault.reveal("counter/1", "identity", found[0]["id_no_token"]) == NUMBER
    with pytest.raises(VaultError):
        vault.reveal("counter/2", "identity", found[0]["id_no_token"])


def test_row_without_a_client_number_gets_a_token_but_is_not_stored(vault):
    found = identity_rows(vault, (None, "0", NUMBER), (" ", "0", NUMBER))
    assert {each["id_no_token"] for each in found} == {token(KEYS, "identity", "resident_id", NUMBER)}
    assert vault._values.execute("select count(*) from vault").fetchone() == (0,)
    named_by_nothing = tokenise(identities(("1", "0", NUMBER)), [IDENTITY], ("counter", None), KEYS, vault, AS_OF)
    assert named_by_nothing["id_no_token"].to_pylist() == [found[0]["id_no_token"]]
    assert vault._values.execute("select count(*) from vault").fetchone() == (0,)


def test_one_client_with_the_same_value_in_two_rows_is_stored_once(vault):
    identity_rows(vault, ("1", "0", NUMBER), ("1", "0", NUMBER), ("2", "0", NUMBER))
    assert vault._values.execute("select count(*) from vault").fetchone() == (2,)


def test_chunks_keep_their_row_order(vault):
    chunks = [identities(("1", "0", NUMBER), ("2", "0", None)), identities(("3", "1", NUMBER), ("4", "0", NUMBER))]
    together = tokenise(pa.concat_tables(chunks), [IDENTITY], SUBJECT, KEYS, vault, AS_OF).to_pylist()
    apart = [row for chunk in chunks for row in tokenise(chunk, [IDENTITY], SUBJECT, KEYS, vault, AS_OF).to_pylist()]
    assert together == apart


def test_empty_batch_still_has_the_text_columns(vault):
    found = tokenise(identities(("1", "0", NUMBER)).slice(0, 0), [IDENTITY], SUBJECT, KEYS, vault, AS_OF)
    assert found.num_rows == 0
    assert {found.schema.field(name).type for name in derived_columns(IDENTITY)} == {pa.string()}


def test_clear_value_is_neither_in_the_table_nor_under_the_vault(vault, tmp_path):
    found = tokenise(identities(("1", "0", NUMBER)), [IDENTITY], SUBJECT, KEYS, vault, AS_OF)
    assert NUMBER not in str(found.to_pylist())
    raw = b"".join(path.read_bytes() for path in (tmp_path / "vault").iterdir())
    assert NUMBER.encode() not in raw


def test_wrong_contract_is_told_by_column(vault):
    with pytest.raises(ConfigurationError, match="telephone"):
        tokenise(identities(("1", "0", NUMBER)), [PersonalColumn("telephone", "phone")], SUBJECT, KEYS, vault, AS_OF)
    with pytest.raises(ConfigurationError):
        PersonalColumn("id_no", "address")
    with pytest.raises(ConfigurationError):
        PersonalColumn("id_no", "identity", "id_kind", {"0": "identity card"})


def test_what_could_be_somebodys_is_withheld_from_plain_columns():
    batch = pa.table(
        {
            "client_number": ["10000001", "13900000001", "110101197001010016"],
            "branch_id": ["0001", "13900000001", "张三"],
            "client_kind": ["0", "张三", "13900000001"],
            "open_date": ["20190506", "１９９９０１０１", "0001"],
            "_parse_error": pa.array([None, "wrong_field_count", None], pa.string()),
        }
    )
    kinds = {"client_number": "key", "branch_id": "string", "client_kind": "code", "open_date": "date"}
    found = withhold_misplaced(batch, kinds).to_pydict()
    assert found["client_number"] == ["10000001", "13900000001", None], "a key may be as long as a phone"
    assert found["branch_id"] == ["0001", None, None]
    assert found["client_kind"] == ["0", None, None]
    assert found["open_date"] == ["20190506", "１９９９０１０１", None]
    assert found["_parse_error"] == [None, MISPLACED, MISPLACED]
    assert withhold_misplaced(batch.slice(0, 1), kinds) == batch.slice(0, 1)
