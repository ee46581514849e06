"""Settings: read here only, checked all at once, passed on frozen.

Order: `C360_*` environment variables, then the YAML file named by `C360_SETTINGS_FILE` (default `c360.yml`, optional), then the defaults.
"""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from spark_jobs.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[1]
POSTGRES_VARIABLE = "C360_SECRET_POSTGRES"
"""Connection string of the serving PostgreSQL. Never a setting of a file: it may hold a password."""


class Migration(BaseModel):
    """When the counter of a mapping delivers: beside the old one from `shadow_from`, in its place from `in_force_from`; one may be absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shadow_from: date | None = None
    in_force_from: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Migration:
        if self.shadow_from is None and self.in_force_from is None:
            raise ValueError("needs shadow_from or in_force_from")
        if self.shadow_from and self.in_force_from and self.shadow_from >= self.in_force_from:
            raise ValueError("shadow_from must lie before in_force_from")
        return self


class Settings(BaseSettings):
    """Everything a broker may set. Paths are relative to `home`."""

    model_config = SettingsConfigDict(env_prefix="C360_", frozen=True, extra="ignore")

    home: Path = Field(
        Path("."),
        description="folder that holds landing, lake, vault, published, access, audit, written, handover, decisions and logs",
    )
    lake_root: str = Field("", description="file:, hdfs: or s3a: root of the Delta lake; empty means home/lake")
    catalogue: Path = Field(PROJECT / "spark_jobs" / "catalog", description="folder of the feed contracts")
    jars: Path = Field(PROJECT / ".jars", description="where the Delta jars are kept")
    spark_master: str = Field("local[*]", description="local[*], spark://, yarn or k8s://")
    driver_memory: str = "4g"
    driver_java_options: str = Field("", description="further options of the driver's Java, such as -XX:+UseParallelGC")
    small_days: bool = Field(
        False,
        description="true where a day has some thousand rows: queries are run as planned, not compiled, by a Java that compiles little",
    )
    shuffle_partitions: int = Field(2, ge=1, description="raise on a cluster")
    threads: int = Field(4, ge=1, le=32, description="feeds and tables worked on at once in the one session")
    relation_lag_trading_days: int = Field(
        1, ge=0, le=1, description="1: relations of the previous trading day; 0: of the day itself"
    )
    margin_watch_line: Decimal = Field(
        Decimal("1.5"), description="maintenance ratio below which an account is watched"
    )
    revisions_kept: int = Field(5, ge=2, description="published files kept for rollback and readers")
    migrations: dict[str, Migration] = Field({}, description="mapping of a new counter: shadow_from, in_force_from")
    calendar_overrides: Path | None = Field(
        None, description="CSV calendar_date,is_trading_day for years the calendar lacks"
    )
    bonus_table: Path | None = Field(
        None, description="CSV of bonus and transfer ratios, published beside the incomes; see docs/measures.md"
    )
    two_persons: bool = Field(
        False,
        description="what cannot be taken back, or lets data or people in, is asked by one person and agreed to by another",
    )
    serve_pool_size: int = Field(8, ge=1, le=200, description="connections of one process to PostgreSQL")
    serve_timeout_seconds: int = Field(10, ge=1, le=600, description="longest time a request may take")
    serve_body_bytes: int = Field(65536, ge=1024, description="largest body of a request")
    serve_requests_per_minute: int = Field(600, ge=1, description="of one caller, in each process")
    serve_lookups_per_day: int = Field(2000, ge=1, description="of one caller, in all processes together")
    serve_export_rows_per_day: int = Field(200_000, ge=1, description="of one caller, in all processes together")
    erase_retention_years: int = Field(
        20, ge=0, le=100, description="years after the end of the relation before which the law forbids to erase"
    )
    oidc_issuer: str = Field("", description="issuer of bearer tokens; empty: API keys only")
    oidc_audience: str = Field("", description="audience a bearer token must name")
    oidc_keys: str = Field("", description="file or https address of the issuer's public keys (JWKS)")

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def vault(self) -> Path:
        return self.home / "vault"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def access(self) -> Path:
        return self.home / "access"

    @property
    def audit(self) -> Path:
        return self.home / "audit"

    @property
    def written(self) -> Path:
        """What people write through the API and the pages, when no PostgreSQL keeps it."""
        return self.home / "written"

    @property
    def handover(self) -> Path:
        """What goes to the performance platform (extracts) and what comes from it (incoming)."""
        return self.home / "handover"

    @property
    def decisions(self) -> Path:
        """What was asked and agreed to where two persons decide."""
        return self.home / "decisions"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def work(self) -> Path:
        """Scratch of the running load: staged landing files, dbt artefacts, data docs."""
        return self.home / ".c360"

    @property
    def lake(self) -> str:
        return self.lake_root.rstrip("/") or str((self.home / "lake").resolve())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = YamlConfigSettingsSource(settings_cls, yaml_file=os.environ.get("C360_SETTINGS_FILE", "c360.yml"))
        return init_settings, env_settings, file


def load_settings(**overrides: object) -> Settings:
    """The settings in force. Raises ConfigurationError C360-103 naming every bad one."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "\n         ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)
        )
        raise ConfigurationError(
            "C360-103",
            f"{error.error_count()} settings are not usable",
            where=faults,
            next_step="correct C360_* or c360.yml, then: c360 doctor",
        ) from None
