"""Environment variables, read once into one validated object; every path and address comes from it."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from fraudstream.errors import SettingsError
from fraudstream.storage.hadoop import AnyPath, HadoopPath, valid_uri
from fraudstream.storage.spark_environment import valid_master

PREFIX = "FRAUDSTREAM_"
PROJECT = Path(__file__).resolve().parents[1]
# Task 1 may be started last: the first message has this many times as long to arrive as any other (FRAUDSTREAM_IDLE_S)
FIRST_MESSAGE_FACTOR = 10
# what is shown to people is in the time zone of requirement 2.1
MELBOURNE = ZoneInfo("Australia/Melbourne")

# set for the notebooks of a run, which has checked the files itself
CHECKED = f"{PREFIX}CHECKED"
# variables of this prefix that are no settings
NO_SETTINGS = frozenset({f"{PREFIX}TEST_COMPOSE", CHECKED})


def _absolute(value: Any) -> Path:
    return Path(value).expanduser().resolve()


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


def _alias_pairs(value: str) -> str:
    for pair in filter(None, map(str.strip, value.split(","))):
        theirs, equals, ours = pair.partition("=")
        if not (theirs.strip() and equals and ours.strip()):
            raise ValueError(f"{pair!r} is not of the form their_name=our_name")
    return value


AbsolutePath = Annotated[Path, BeforeValidator(_absolute)]
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: _absolute(value) if value else None)]
OptionalInt = Annotated[int | None, BeforeValidator(_empty_is_none)]
OptionalFloat = Annotated[float | None, BeforeValidator(_empty_is_none)]


class Settings(BaseSettings):
    """All settings. Relative paths count from the current folder; the defaults are in the project folder."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, populate_by_name=True, frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: AbsolutePath = Field(PROJECT / "data", description="folder of the CSV files")
    model: AbsolutePath = Field(PROJECT / "models" / "my_ML_model.zip", description="zip of the trained model")
    output_dir: AbsolutePath = Field(
        PROJECT / "output",
        description="folder for predictions, reports, checkpoints, logs and the embedded broker",
    )
    storage: Annotated[str, AfterValidator(valid_uri)] = Field(
        "",
        description="Hadoop URI for predictions, quarantine and checkpoints, such as `hdfs://namenode:8020/shop` "
        "(empty: the output folder)",
    )
    batches: OptionalInt = Field(None, ge=1, description="number of batches of 200 browsing rows to send (empty: all)")
    interval_s: float = Field(1.0, gt=0, description="seconds between two batches")
    lookback_s: int = Field(
        3600,
        ge=3600,
        description="seconds of stream time for which browsing events are kept for the join (at least 3600)",
    )
    max_offsets_per_trigger: int = Field(
        300, ge=0, description="messages per topic and micro-batch, at most (0: no limit)"
    )
    idle_s: OptionalFloat = Field(
        None,
        gt=0,
        description="seconds without a new message after which Tasks 2 and 3 end (empty: they run until interrupted)",
    )
    alert_threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="probability of fraud above which a transaction is an alert (0.5: the model's own prediction)",
    )
    label_delay_s: float = Field(
        30.0,
        ge=0,
        description="seconds from the sending of a transaction until its true label is published (`fraud_labels`)",
    )
    bootstrap_servers: str = Field(
        "",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="addresses of an external Kafka, host:port[,host:port] (empty: the embedded broker)",
    )
    purchases: Literal["before_checkout", "all_past", "successful_past"] = Field(
        "before_checkout",
        description="past transactions that num_purchases counts: before_checkout, all_past or successful_past",
    )
    midpoint: Literal["timestamps", "hours"] = Field(
        "timestamps",
        description="midpoint for time_of_day: between first and last timestamps, or mean of their hours (hours)",
    )
    age: Literal["days", "years"] = Field(
        "days",
        description="age: days / 365.25, rounded, or the difference of the calendar years (years)",
    )
    aliases: Annotated[str, AfterValidator(_alias_pairs)] = Field(
        "",
        description="column aliases for your own model: their_name=our_name[,...]",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        validation_alias="KAFKA_SECURITY_PROTOCOL",
        description="security protocol of an external Kafka: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN",
        validation_alias="KAFKA_SASL_MECHANISM",
        description="SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    )
    sasl_username: str = Field("", validation_alias="KAFKA_SASL_USERNAME", description="SASL user name")
    sasl_password: SecretStr = Field(
        SecretStr(""),
        validation_alias="KAFKA_SASL_PASSWORD",
        description="SASL password; never shown",
    )
    ssl_cafile: OptionalPath = Field(
        None,
        validation_alias="KAFKA_SSL_CAFILE",
        description="PEM file of the CA that signed Kafka's certificate (empty: the CAs trusted by system and Java)",
    )
    spark_master: Annotated[str, AfterValidator(valid_master)] = Field(
        "local[4]", validation_alias="SPARK_MASTER", description="Spark master (requirement 2.1: four cores)"
    )
    worker_python: str = Field(
        "",
        description="Python of Spark's workers on a cluster, the same path on every node (empty: python3; without a "
        "cluster, always the notebook's own)",
    )
    tolerate: bool = Field(
        False, description="continue with files in which more than 1 % of the values are unusable (as --tolerate does)"
    )
    jars_dir: AbsolutePath = Field(
        PROJECT / ".cache" / "jars",
        description="folder for the downloaded jars of Kafka and Spark's Kafka connector",
    )

    @property
    def embedded_broker(self) -> bool:
        """Whether Kafka is the broker that the project starts by itself."""
        return not self.bootstrap_servers

    @property
    def column_aliases(self) -> dict[str, str]:
        """The model's name of a column -> the stream's."""
        pairs = [pair.partition("=") for pair in self.aliases.split(",") if pair.strip()]
        return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}

    @property
    def shared_dir(self) -> AnyPath:
        """Root of everything that the nodes of a cluster read and write."""
        return HadoopPath(self.storage) if self.storage else self.output_dir

    @property
    def predictions(self) -> AnyPath:
        return self.shared_dir / "predictions"

    @property
    def quarantine(self) -> AnyPath:
        return self.shared_dir / "quarantine"

    @property
    def reports(self) -> Path:
        return self.output_dir / "reports.sqlite"

    @property
    def checkpoints(self) -> AnyPath:
        return self.shared_dir / "checkpoints"

    @property
    def logs(self) -> Path:
        return self.output_dir / "logs"

    @property
    def notebooks(self) -> Path:
        return self.output_dir / "notebooks"

    @property
    def broker_dir(self) -> Path:
        return self.output_dir / "broker"

    @property
    def cache(self) -> Path:
        """Locks that all runs of this project folder share, independent of the output folder."""
        return PROJECT / ".cache"

    def as_environment(self) -> dict[str, str]:
        """Name of the environment variable -> text, for a process that shall find these settings; the password, too."""
        values = {name: getattr(self, field) for field, name in self.environment_names().items()}
        return {
            name: "" if value is None else value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
        }

    @classmethod
    def environment_names(cls) -> dict[str, str]:
        """Field name -> name of its environment variable, in the order of definition."""
        return {name: field.validation_alias or f"{PREFIX}{name.upper()}" for name, field in cls.model_fields.items()}


def load_settings(options: Mapping[str, str] = MappingProxyType({}), /, **overrides: Any) -> Settings:
    """The settings of the environment, with overrides by field name.

    ``options``: field -> the command-line option that an override came from, for messages.
    Raises SettingsError with one line per wrong value: the option or the variable, what was found, what is wrong; and
    for a FRAUDSTREAM_ variable that is no setting.
    """
    _refuse_unknown()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        names = Settings.environment_names()
        fields = {name: field for field, name in names.items()}
        lines = []
        for problem in error.errors():
            found = str(problem["loc"][0]) if problem["loc"] else "settings"
            field = fields.get(found, found)
            name = f"{options[field]} " if field in overrides and field in options else f"{names.get(field, field)}="
            shown = problem["input"] if name.startswith("--") else repr(problem["input"])
            lines.append(f"{name}{shown}: {problem['msg']}.")
        raise SettingsError(" ".join(lines)) from error


def _refuse_unknown() -> None:
    """Raises SettingsError for a variable with our prefix that no setting has: a mistyped one would be ignored."""
    known = [name for name in Settings.environment_names().values() if name.startswith(PREFIX)]
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and name not in NO_SETTINGS:
            near = get_close_matches(name, known, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"The settings are: {', '.join(known)}."
            raise SettingsError(f"{name}: no setting has this name. {advice}")
