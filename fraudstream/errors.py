"""What fraudstream tells its user: notes, and errors that say what was found, where, and what to do."""

from collections.abc import Callable

# where a line for the user goes: print, or what a notebook shows it with
Note = Callable[[str], object]


class FraudstreamError(Exception):
    """Base of all: the command line shows it as one line and ends with exit code 1."""


class SettingsError(FraudstreamError):
    """A setting of the environment has a value that cannot work."""


class DataError(FraudstreamError):
    """An input file is missing, empty, or not as assignment.md describes it."""


class ModelError(FraudstreamError):
    """The model's zip is missing, damaged, unsafe, or wants columns that the stream does not have."""


class BrokerError(FraudstreamError):
    """Kafka cannot be started or reached, or refuses a message."""


class RuntimeMissingError(FraudstreamError):
    """Something outside Python is missing: Java 17 or newer, or jars that were never downloaded."""


class OutputError(FraudstreamError):
    """What stands in the output folder does not belong to this run, or cannot be written."""
