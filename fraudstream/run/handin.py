"""The executed notebooks for the hand-in: without paths of this machine, also as HTML, with chart and summary."""

import base64
import html
import json
import re
import zipfile
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from fraudstream.run.headless import NOTEBOOKS, run
from fraudstream.run.reconciliation import Reconciliation
from fraudstream.settings import PROJECT, Settings

WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
CHART = "successful_transactions.png"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Summary</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 900px; margin: 32px auto; padding: 0 16px; color: #1d252c; }}
table {{ border-collapse: collapse; }} td {{ padding: 2px 24px 2px 0; border-bottom: 1px solid #e3e7ea; }}
td + td {{ text-align: right; }} img {{ width: 100%; }} h1 {{ font-size: 24px; }} h2 {{ font-size: 17px; }}
</style>
<h1>Live fraud prediction: what the run did</h1>
<p>{sentence}</p>
<h2>Successful transactions per batch (Task 3)</h2><img alt="chart" src="data:image/png;base64,{chart}">
<h2>Reconciliation (Task 2)</h2><table>{rows}</table>
<p>sent = predicted + late + unmatched + quarantined + unread + lost. Precision and recall are
computed from the true labels, which the model has not seen.</p></html>
"""


def hand_in(settings: Settings) -> Path:
    """Runs the three notebooks and leaves ``handin.zip`` in the output folder; its path.

    In it: the notebooks with their outputs, the same as HTML, the chart, summary.html and summary.json.
    Raises FraudstreamError as ``run`` does.
    """
    summary = run(settings)
    target = settings.output_dir / "handin.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, notebook in executed(settings).items():
            archive.writestr(name, nbformat.writes(notebook))
            page, _ = HTMLExporter(embed_images=True).from_notebook_node(
                notebook, {"metadata": {"name": Path(name).stem}}
            )
            archive.writestr(Path(name).with_suffix(".html").name, page)
        archive.write(settings.output_dir / CHART, CHART)
        archive.write(settings.output_dir / "summary.json", "summary.json")
        archive.writestr("summary.html", _page(summary, (settings.output_dir / CHART).read_bytes()))
    return target


def executed(settings: Settings) -> dict[str, NotebookNode]:
    """File name -> notebook, as the newest run has left them, tidied."""
    found = {}
    for path in NOTEBOOKS.values():
        found[path.name] = tidied(nbformat.read(settings.notebooks / path.name, as_version=4))
    return found


def tidied(notebook: NotebookNode) -> NotebookNode:
    """A copy that shows the same anywhere: pictures for widgets, paths from the project's folder, no times of cells."""
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    notebook = nbformat.from_dict(json.loads(without_machine(json.dumps(notebook))))
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _still(output, state)]
    return notebook


def without_machine(text: str) -> str:
    """``text`` (JSON) with paths that begin at the project's folder or, outside it, at the user's home."""
    text = text.replace(f"file://{PROJECT}/", "").replace(f"{PROJECT}/", "")
    text = re.sub(rf"{re.escape(str(PROJECT))}(?![\w-])", ".", text)
    home = str(Path.home())
    return re.sub(rf"(?<![\w.]){re.escape(home)}(?=/)", "~", text) if len(home) > 1 else text


def _still(output: NotebookNode, state: dict) -> bool:
    """Puts the last picture of a figure that moves in place of its widget; False for other widgets (progress bars)."""
    data = output.get("data", {})
    if WIDGET not in data:
        return True
    if "text/html" in data:  # a live table: its saved form
        del data[WIDGET]
        return True
    picture = state.get(data[WIDGET]["model_id"], {}).get("state", {}).get("_data_url", "")
    if "image/png" not in data or not picture:
        return False
    output.data = NotebookNode({"image/png": picture.rpartition(",")[2], "text/plain": "<Figure>"})
    return True


def _page(summary: Reconciliation, chart: bytes) -> str:
    sentence = (
        f"{summary.batches:,} batches with {summary.events:,} browsing events and {summary.transactions_sent:,} "
        f"transactions went through Kafka; {summary.predicted:,} transactions were predicted, {summary.frauds:,} of "
        f"them as fraud, half of them within {summary.seconds_p50} seconds of being sent."
    )
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in summary.rows()
    )
    return PAGE.format(sentence=sentence, chart=base64.b64encode(chart).decode(), rows=rows)
