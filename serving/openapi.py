"""The committed description of the API: `python -m serving.openapi` writes docs/openapi.json."""

from __future__ import annotations

import json

from serving.app import create_app
from spark_jobs.config import PROJECT, Settings

FILE = PROJECT / "docs" / "openapi.json"


def document() -> str:
    """The same text on every machine: settings do not change it."""
    return (
        json.dumps(create_app(Settings.model_construct(**_defaults())).openapi(), ensure_ascii=False, indent=1) + "\n"
    )


def _defaults() -> dict[str, object]:
    return {name: field.default for name, field in Settings.model_fields.items()}


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
