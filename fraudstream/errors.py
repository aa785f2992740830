"""Notes and errors for the user. An error says what was found, where, and what to do."""

from collections.abc import Callable

# takes a line for the user: print, or a notebook's own display
Note = Callable[[str], object]


class FraudstreamError(Exception):
    """Base of all errors: the command line prints it as one line and exits with code 1."""


class Interrupted(FraudstreamError):
    """The user ended the command (Ctrl-C): exit code 130."""


class SettingsError(FraudstreamError):
    """A setting has an invalid value."""


class DataError(FraudstreamError):
    """An input file is missing, empty, or not as data/README.md describes it."""


class ModelError(FraudstreamError):
    """The model's zip is missing, damaged, unsafe, or needs columns that the stream does not have."""


class BrokerError(FraudstreamError):
    """Kafka cannot be started or reached, or rejects a message."""


class RuntimeMissingError(FraudstreamError):
    """Something outside Python is missing: Java 17 or newer, or jars that were never downloaded."""


class OutputError(FraudstreamError):
    """The output folder holds results of another run, is in use, or cannot be written."""
