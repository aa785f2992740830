"""Address, encryption and authentication of an external Kafka: the same settings for all three kinds of client."""

import re
from typing import Any

from fraudstream.errors import SettingsError
from fraudstream.settings import Settings

SETTING = "KAFKA_BOOTSTRAP_SERVERS"
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
ADDRESS = r"[^\s,/]+:\d+(,[^\s,/]+:\d+)*"
# Kafka's Java client, which Spark uses, authenticates by one class per kind of mechanism
LOGIN = "org.apache.kafka.common.security"


def external_address(settings: Settings) -> str:
    """KAFKA_BOOTSTRAP_SERVERS as host:port[,host:port], without optional protocol prefixes.

    Raises SettingsError if it is malformed, or names a protocol other than KAFKA_SECURITY_PROTOCOL.
    """
    return _protocol_and_address(settings)[1]


def _protocol_and_address(settings: Settings) -> tuple[str, str]:
    given = settings.bootstrap_servers
    servers = [re.fullmatch(r"(?:(\w+)://)?(.*)", part.strip()) for part in given.split(",")]
    address = ",".join(match[2] for match in servers)
    found = {match[1].upper() for match in servers if match[1]}
    if not re.fullmatch(ADDRESS, address) or len(found) > 1 or found - {*PROTOCOLS}:
        raise SettingsError(f"{SETTING}={given!r}: expected host:port[,host:port].")
    protocol = found.pop() if found else settings.security_protocol
    if protocol != settings.security_protocol and "security_protocol" in settings.model_fields_set:
        raise SettingsError(
            f"{SETTING}={given!r} names {protocol}, but KAFKA_SECURITY_PROTOCOL={settings.security_protocol}. "
            "Leave one of the two out."
        )
    return protocol, address


def client_security(settings: Settings) -> dict[str, Any]:
    """Options for kafka-python and kafka3; empty for a plaintext Kafka. Raises SettingsError."""
    protocol = _checked_protocol(settings)
    options: dict[str, Any] = {} if protocol == "PLAINTEXT" else {"security_protocol": protocol}
    if protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    if settings.ssl_cafile:
        options["ssl_cafile"] = str(settings.ssl_cafile)
    return options


def spark_security(settings: Settings) -> dict[str, str]:
    """Options for Spark's Kafka source; empty for a plaintext Kafka. Raises SettingsError.

    Spark redacts kafka.sasl.jaas.config in its logs.
    """
    protocol = _checked_protocol(settings)
    options = {} if protocol == "PLAINTEXT" else {"kafka.security.protocol": protocol}
    if protocol.startswith("SASL_"):
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


def _checked_protocol(settings: Settings) -> str:
    """The security protocol, after checking that the settings it requires are present."""
    protocol = settings.security_protocol if settings.embedded_broker else _protocol_and_address(settings)[0]
    if protocol.startswith("SASL_") and not (settings.sasl_username and settings.sasl_password.get_secret_value()):
        raise SettingsError(f"KAFKA_SECURITY_PROTOCOL={protocol}: set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD too.")
    if settings.ssl_cafile and not settings.ssl_cafile.is_file():
        raise SettingsError(f"KAFKA_SSL_CAFILE={settings.ssl_cafile}: no such file. Name the PEM file of Kafka's CA.")
    return protocol


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
