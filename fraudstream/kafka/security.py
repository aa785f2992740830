"""Who we are to a Kafka that asks, and how the way there is encrypted: the same settings for all three clients."""

from typing import Any

from fraudstream.errors import SettingsError
from fraudstream.settings import Settings

# Kafka's Java client, which Spark uses, logs in by a class for each kind of mechanism
LOGIN = "org.apache.kafka.common.security"


def client_security(settings: Settings) -> dict[str, Any]:
    """Options for kafka-python and kafka3; nothing for a Kafka that asks for nothing. Raises SettingsError."""
    _check(settings)
    options: dict[str, Any] = {}
    if settings.security_protocol != "PLAINTEXT":
        options["security_protocol"] = settings.security_protocol
    if _asks_for_a_name(settings):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    if settings.ssl_cafile:
        options["ssl_cafile"] = str(settings.ssl_cafile)
    return options


def spark_security(settings: Settings) -> dict[str, str]:
    """Options for Spark's Kafka source; nothing for a Kafka that asks for nothing. Raises SettingsError.

    Spark keeps kafka.sasl.jaas.config out of its logs.
    """
    _check(settings)
    options: dict[str, str] = {}
    if settings.security_protocol != "PLAINTEXT":
        options["kafka.security.protocol"] = settings.security_protocol
    if _asks_for_a_name(settings):
        kind = "scram.ScramLoginModule" if settings.sasl_mechanism.startswith("SCRAM") else "plain.PlainLoginModule"
        name, password = (_quoted(text) for text in (settings.sasl_username, settings.sasl_password.get_secret_value()))
        options |= {
            "kafka.sasl.mechanism": settings.sasl_mechanism,
            "kafka.sasl.jaas.config": f"{LOGIN}.{kind} required username={name} password={password};",
        }
    if settings.ssl_cafile:
        options |= {
            "kafka.ssl.truststore.type": "PEM",
            "kafka.ssl.truststore.location": str(settings.ssl_cafile),
        }
    return options


def _asks_for_a_name(settings: Settings) -> bool:
    return settings.security_protocol.startswith("SASL_")


def _check(settings: Settings) -> None:
    if _asks_for_a_name(settings) and not (settings.sasl_username and settings.sasl_password.get_secret_value()):
        raise SettingsError(
            f"KAFKA_SECURITY_PROTOCOL={settings.security_protocol}: "
            "set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD too."
        )
    if settings.ssl_cafile and not settings.ssl_cafile.is_file():
        raise SettingsError(f"KAFKA_SSL_CAFILE={settings.ssl_cafile}: no such file. Name the PEM file of Kafka's CA.")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
