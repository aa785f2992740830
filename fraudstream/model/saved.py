"""A model's zip as one object: vetted, with its signature and its version (2.6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fraudstream.model.archive import FOLDER, MAX_UNPACKED_MB, fresh_folder, opened, sha256, vet
from fraudstream.model.match import ModelMatch, match
from fraudstream.model.signature import ModelSignature, read_signature

VERSION_DIGITS = 12
# written by `train` next to the zip
METRICS = "metrics.json"


def metrics_of(path: Path) -> dict[str, Any] | None:
    """The metrics.json that the training wrote for the zip ``path``; None without one, or if it is of another zip."""
    file = path.with_name(METRICS)
    if not (file.is_file() and path.is_file()):
        return None
    metrics = json.loads(file.read_text(encoding="utf-8"))
    return metrics if metrics.get("sha256") == sha256(path) else None


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

    @property
    def figures(self) -> dict[str, Any] | None:
        """What the training measured on its held-out transactions; None without a metrics.json of this zip next to it.

        tp, fp, fn, tn (counts), precision, recall, area_under_pr and others.
        """
        metrics = metrics_of(self.path)
        return metrics and metrics["models"][metrics["saved"]]

    @property
    def recall(self) -> float | None:
        """The recall that the training measured; None if it is not known."""
        return self.figures and self.figures["recall"]

    def match(self, columns: Mapping[str, str], aliases: Mapping[str, str] | None = None) -> ModelMatch:
        """Each column of the model with the stream's column that it maps to: see ``match``."""
        matched = match(self.signature, columns, aliases)
        return replace(matched, finds_no_fraud=self.recall == 0)

    def fresh_folder(self, folder: Path) -> Path:
        """Empties ``folder`` and returns the target for extractall(), so that ``folder`` then has my_ML_model.

        That is ``folder`` itself, or ``folder/my_ML_model`` for a zip of the folder's content.
        """
        fresh_folder(folder)
        return folder if self.root else folder / FOLDER
