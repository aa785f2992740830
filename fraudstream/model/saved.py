"""A model's zip as one object: vetted, its signature read and its version known, in one pass over the file (2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fraudstream.model.archive import FOLDER, MAX_UNPACKED_MB, fresh_folder, opened, sha256, vet
from fraudstream.model.match import ModelMatch, match
from fraudstream.model.signature import ModelSignature, read_signature

VERSION_DIGITS = 12


@dataclass(frozen=True)
class SavedModel:
    """A vetted zip. Nothing was unpacked and no class imported to make it.

    ``root``: where metadata and stages are in the zip, ``my_ML_model/`` or the empty string.
    """

    path: Path
    root: str
    sha256: str
    signature: ModelSignature

    @classmethod
    def open(cls, path: Path, max_unpacked_mb: float = MAX_UNPACKED_MB) -> SavedModel:
        """The model in ``path``; raises ModelError if it is missing, unsafe, not a classifier, or would drop rows."""
        with opened(path) as archive:
            root = vet(path, archive, max_unpacked_mb)
            return cls(path, root, sha256(path), read_signature(path, archive, root))

    @property
    def version(self) -> str:
        """The first 12 digits of the zip's SHA-256: which model made a prediction."""
        return self.sha256[:VERSION_DIGITS]

    def match(self, columns: Mapping[str, str], aliases: Mapping[str, str] | None = None) -> ModelMatch:
        """Matches the model's columns with the stream's: see ``match``."""
        return match(self.signature, columns, aliases)

    def fresh_folder(self, folder: Path) -> Path:
        """Empties ``folder`` and returns the target for extractall(), so that ``folder`` then has my_ML_model.

        That is ``folder`` itself, or ``folder/my_ML_model`` for a zip of the folder's content.
        """
        fresh_folder(folder)
        return folder if self.root else folder / FOLDER
