"""Quality of the model, on the held-out transactions of the training and on the stream's true labels."""

import json

import pandas as pd
from IPython.display import Image

from fraudstream.data.csv_files import truth
from fraudstream.errors import ModelError
from fraudstream.runtime.table import Table
from fraudstream.settings import Settings
from fraudstream.stream.store import batch_files, batch_number, read_batch

THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)


def scored(settings: Settings) -> pd.DataFrame:
    """transaction_id -> probability of fraud by the newest prediction, and fraud (bool), what the labels say."""
    newest: dict[str, float] = {}
    files = sorted(batch_files(settings.predictions), key=batch_number)
    for file in files:
        table = read_batch(file, ["transaction_id", "probability"])
        newest.update(
            zip(table["transaction_id"].to_pylist(), (p[1] for p in table["probability"].to_pylist()), strict=True)
        )
    frauds = truth(settings.data_dir) or set()
    rows = pd.DataFrame({"probability": newest.values()}, index=pd.Index(newest, name="transaction_id"))
    return rows.assign(fraud=rows.index.isin(frauds))


def on_the_stream(settings: Settings) -> str:
    """The confusion matrix at 0.5 in a sentence or two."""
    rows = scored(settings)
    if truth(settings.data_dir) is None or rows.empty:
        return "No true labels (new_fraud_transaction.csv) or no predictions yet: nothing to compare."
    flagged = rows.probability > 0.5
    found, alarms = int((flagged & rows.fraud).sum()), int((flagged & ~rows.fraud).sum())
    missed = int((~flagged & rows.fraud).sum())
    return (
        f"{rows.fraud.mean():.1%} of {len(rows):,} transactions are frauds (base rate). Of {found + alarms} flagged, "
        f"{found} are frauds and {alarms} false alarms; {missed} frauds were missed.\n"
        f"In practice: reviewing all {found + alarms} alerts finds {found} of {found + missed} frauds, "
        f"at the cost of {alarms} honest customers."
    )


def thresholds(settings: Settings) -> Table:
    """Alerts, precision and recall on the stream by threshold."""
    rows = scored(settings)
    lines = []
    for threshold in THRESHOLDS:
        flagged = rows.probability > threshold
        found = int((flagged & rows.fraud).sum())
        precision = f"{found / flagged.sum():.2f}" if flagged.any() else ""
        recall = f"{found / rows.fraud.sum():.2f}" if rows.fraud.any() else ""
        lines.append((f"{threshold:g}", f"{int(flagged.sum())}", precision, recall))
    return Table(("threshold", "alerts", "precision", "recall"), lines)


def importance(settings: Settings) -> Image | str:
    """The training's picture of what the two models look at; a sentence where the model was trained elsewhere."""
    folder = settings.model.parent
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
    except (OSError, ValueError):
        return "The model was trained elsewhere: no metrics.json next to it."
    if "saved" not in metrics:
        raise ModelError(f"{folder / 'metrics.json'}: not written by this project's training. Remove it.")
    return Image(str(folder / "feature_importance.png"), width=900)
