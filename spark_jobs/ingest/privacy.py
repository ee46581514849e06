"""Personal columns out, derived columns and tokens in: after this step no clear value is in a batch.

The work is done once per distinct value, and the values reach the vault before the batch is returned: a token that is
in a table can be revealed until its subject is erased.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.identity import IDENTITY_KINDS, canonical_identity, canonical_name, canonical_phone
from spark_jobs.ingest.vault import PERSONAL_CLASSES, Keys, Vault, last_four_token, source_subject, token

DERIVED = {
    "identity": ("token", "masked", "check", "birth_date", "gender", "last_four_token"),
    "phone": ("token", "masked", "kind", "last_four_token"),
    "name": ("token", "masked"),
}

MISPLACED = "misplaced_value"
_LOOKS = {
    "key": r"^[\x20-\x7e]*$",
    "string": r"^[\x20-\x7e]*$",
    "code": r"^[\x21-\x7e]{0,8}$",
    "date": r"^([0-9０-９]{4}-?[0-9０-９]{2}-?[0-9０-９]{2})?$",
    "number": r"^[-+－＋0-9０-９.．a-z]{0,26}$",
}
# A key may well be as long as a phone number, and is then one only by chance.
_RESEMBLES = {"key": r"^[0-9]{17}[0-9Xx]$", "string": r"^([0-9]{17}[0-9Xx]|[0-9]{15}|(\+?86 ?)?1[3-9][0-9]{9})$"}


def looks_personal(text: str) -> bool:
    """Whether a text has the form of a resident's document number or of a mobile phone."""
    return re.match(_RESEMBLES["string"], text) is not None


@dataclass(frozen=True)
class PersonalColumn:
    """A column of a feed with its personal-data class: identity, phone or name.

    kind_column holds the feed's code of the document kind and kind_codes its meaning, one of IDENTITY_KINDS; a code
    outside the map counts as itself if it is such a kind, else as other. The code '' stands for an empty kind, and for
    every row of a feed without a kind column.
    """

    name: str
    personal_class: str
    kind_column: str | None = None
    kind_codes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kind_codes.values()) - set(IDENTITY_KINDS))
        if self.personal_class not in PERSONAL_CLASSES or unknown:
            what = f"personal class {self.personal_class!r} or identity kinds {unknown} are not known"
            wanted = f"use one of {', '.join(PERSONAL_CLASSES)} and of {', '.join(IDENTITY_KINDS)}"
            raise ConfigurationError("C360-172", what, where=f"column {self.name}", next_step=wanted)

    def kind_of(self, code: str | None) -> str:
        """The neutral document kind behind a feed's code."""
        code = (code or "").strip()
        return self.kind_codes.get(code, code if code in IDENTITY_KINDS else "other")


def derived_columns(column: PersonalColumn) -> list[str]:
    """Names of the text columns that stand in place of a personal column, in order."""
    return [f"{column.name}_{suffix}" for suffix in DERIVED[column.personal_class]]


def tokenise(
    batch: pa.Table,
    columns: list[PersonalColumn],
    subject: tuple[str, str | None],
    keys: Keys,
    vault: Vault,
    as_of: date,
) -> pa.Table:
    """The batch with every personal column replaced by its derived ones, and the values in the vault.

    subject: the system, and the column with the client number (the employee id in a feed of employees).
    Nulls:   an empty value gives null in all its derived columns.
    A row without a client number belongs to `<system>/row-less`: it gets its tokens, but its values are not stored,
    since no erasure request could ever reach them.
    """
    system, subject_column = subject
    _check_columns(batch, columns, subject_column)
    subjects, subject_codes = _distinct(batch, subject_column)
    names = [source_subject(system, number) if number and number.strip() else None for number in subjects]
    stored: list[tuple[str, str, str, str]] = []
    replaced: dict[str, dict[str, pa.Array]] = {}
    for column in columns:
        values, value_codes = _distinct(batch, column.name)
        kinds, kind_codes = _distinct(batch, column.kind_column)
        pairs, row_codes = _encoded(pa.array(kind_codes * len(values) + value_codes))
        split = ((kinds[pair // len(values)], values[pair % len(values)]) for pair in pairs)
        derived = [_derive(column, kind, value, keys, as_of) for kind, value in split]
        replaced[column.name] = {
            name: pa.array([facts[position] for _, facts in derived], pa.string()).take(pa.array(row_codes))
            for position, name in enumerate(derived_columns(column))
        }
        for owned in pc.unique(pa.array(subject_codes * len(derived) + row_codes)).to_pylist():
            owner, (canonical, facts) = names[owned // len(derived)], derived[owned % len(derived)]
            if owner and canonical:
                stored.append((owner, column.personal_class, facts[0], canonical))
    vault.store(stored)
    kept = {name: {name: batch[name]} for name in batch.column_names if name not in replaced}
    return pa.table({key: array for name in batch.column_names for key, array in (replaced | kept)[name].items()})


def _derive(
    column: PersonalColumn, kind_code: str | None, value: str | None, keys: Keys, as_of: date
) -> tuple[str | None, tuple[str | None, ...]]:
    """The canonical value and the derived ones, in the order of DERIVED with the token first."""
    personal_class = column.personal_class
    if personal_class == "identity":
        kind = column.kind_of(kind_code)
        identity = canonical_identity(kind, value, as_of)
        canonical = identity.canonical
        birth_date = f"{identity.birth_date:%Y%m%d}" if identity.birth_date else None
        facts = (identity.masked, identity.check, birth_date, identity.gender)
    elif personal_class == "phone":
        kind, phone = "", canonical_phone(value)
        canonical, facts = phone.canonical, (phone.masked, phone.kind)
    else:
        kind, name = "", canonical_name(value)
        canonical, facts = name.canonical, (name.masked,)
    if canonical is None:
        return None, (None,) * len(DERIVED[personal_class])
    if personal_class != "name":
        facts = (*facts, last_four_token(keys, personal_class, canonical))
    return canonical, (token(keys, personal_class, kind, canonical), *facts)


def _distinct(batch: pa.Table, name: str | None) -> tuple[list[str | None], np.ndarray]:
    """The distinct values of a column and each row's place among them; without a column every row is null."""
    if name is None:
        return [None], np.zeros(batch.num_rows, dtype=np.int64)
    text = pa.concat_arrays(batch[name].cast(pa.large_string()).chunks or [pa.array([], pa.large_string())])
    return _encoded(text)


def _encoded(values: pa.Array) -> tuple[list, np.ndarray]:
    encoded = pc.dictionary_encode(values, null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def withhold_misplaced(batch: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    """A batch in whose plain columns no value stands that could be somebody's.

    Two fields that changed places put a name or a number into a column nobody replaces. In a feed with personal columns a plain value must
    look like its type, and no text like a document or a phone; otherwise it is null and its row says so in `_parse_error`.
    kinds: plain column → `key` or the contract's type.
    """
    wrong = pa.array(np.zeros(batch.num_rows, dtype=bool))
    for name, kind in kinds.items():
        text = pc.utf8_trim_whitespace(batch[name].combine_chunks())
        misplaced = pc.invert(pc.match_substring_regex(text, _LOOKS.get(kind, _LOOKS["number"])))
        if kind in _RESEMBLES:
            misplaced = pc.or_(misplaced, pc.match_substring_regex(text, _RESEMBLES[kind]))
        misplaced = pc.fill_null(misplaced, False)
        if pc.any(misplaced).as_py():
            blank = pa.scalar(None, batch[name].type)
            batch = batch.set_column(batch.column_names.index(name), name, pc.if_else(misplaced, blank, batch[name]))
            wrong = pc.or_(wrong, misplaced)
    if not pc.any(wrong).as_py():
        return batch
    errors = pc.if_else(wrong, MISPLACED, batch["_parse_error"])
    return batch.set_column(batch.column_names.index("_parse_error"), "_parse_error", errors)


def _check_columns(batch: pa.Table, columns: list[PersonalColumn], subject_column: str | None) -> None:
    present = set(batch.column_names)
    needed = {name for column in columns for name in (column.name, column.kind_column)} | {subject_column}
    missing = sorted(needed - present - {None})
    clashing = sorted({name for column in columns for name in derived_columns(column)} & present)
    repeated = len({column.name for column in columns}) < len(columns)
    if missing or clashing or repeated:
        what = f"columns missing {missing}, already taken {clashing}" + (", or named twice" if repeated else "")
        raise ConfigurationError("C360-173", what, where="personal columns of a feed", next_step="correct its contract")
