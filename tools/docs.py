"""`make docs`: creates docs/executed and all pictures of the documents from real runs of the current notebooks.

docs/pictures.json records the code that each picture shows, so that a test fails when a picture is older than it.
"""

import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import sync_playwright

from fraudstream.run.handin import CHART, executed
from fraudstream.run.headless import run
from fraudstream.settings import PROJECT, Settings, load_settings
from tools.browser import BROWSERS, FLAGS, TASK_1, TASK_2, TASK_3, Person, Server, find_browser, until

DOCS = PROJECT / "docs"
# windows of two minutes fill and fall
BATCHES = 120
# picture -> the notebook that it shows
PICTURES = {"chart.png": TASK_3, "reports.png": TASK_2, "lab-chart.png": TASK_3, "lab-status.png": TASK_2}
DIGESTS = DOCS / "pictures.json"
SHOWN = ("Frauds (prediction", "Quantity of products", "Top 20 products", "Stream health")
PAGE = """<meta charset="utf-8"><body style="font-family: system-ui, sans-serif; margin: 0; background: #fff">
<div id="all" style="display: grid; grid-template-columns: 700px 700px; gap: 0 40px; padding: 20px 28px; width: 1440px">
<div>{left}</div><div>{right}</div></div>"""


def main() -> None:
    """Runs the notebooks, headless and in JupyterLab; writes docs/executed, the pictures and what they show."""
    settings = load_settings(output_dir=PROJECT / "output" / "docs", batches=BATCHES)
    run(settings)
    notebooks = executed(settings)
    (DOCS / "executed").mkdir(exist_ok=True)
    for name, notebook in notebooks.items():
        nbformat.write(for_pages(notebook), DOCS / "executed" / name)
    shutil.copy(settings.output_dir / CHART, DOCS / "chart.png")
    browser = find_browser()
    if browser is None:
        raise SystemExit(f"No {', '.join(BROWSERS)}: the pictures of the reports and of JupyterLab are unchanged.")
    picture(live_tables(notebooks[TASK_2]), DOCS / "reports.png", browser)
    lab_pictures(settings, browser)
    DIGESTS.write_text(json.dumps({name: digest(notebook) for name, notebook in PICTURES.items()}, indent=1) + "\n")


def digest(notebook: str) -> str:
    """The SHA-256 of the code cells of a notebook."""
    cells = nbformat.read(PROJECT / notebook, as_version=4).cells
    code = "\0".join(cell.source for cell in cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def live_tables(notebook: NotebookNode) -> dict[str, str]:
    """Title of SHOWN -> its table as HTML."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    return {title: page for title in SHOWN for page in pages if f'class="title">{title}' in page}


def for_pages(notebook: NotebookNode) -> NotebookNode:
    """Puts the chart of a table before it as a picture: sites that show notebooks drop SVG inside HTML."""
    for cell in notebook.cells:
        outputs = []
        for output in cell.get("outputs", []):
            page = output.get("data", {}).get("text/html", "")
            if found := re.search(r"<svg.*</svg>", page, re.DOTALL):
                outputs.append(nbformat.v4.new_output("display_data", {"image/svg+xml": found[0]}))
                output.data["text/html"] = page.replace(found[0], "")
            outputs.append(output)
        if outputs:
            cell.outputs = outputs
    return notebook


def picture(tables: dict[str, str], path: Path, browser: str) -> None:
    """Saves the tables side by side as PNG: frauds and quantity on the left, products and health on the right."""
    frauds, quantity, products, health = (tables[title] for title in SHOWN)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1500, "height": 1000}, device_scale_factor=1.25)
        page.set_content(PAGE.format(left=frauds + quantity, right=products + health))
        page.locator("#all").screenshot(path=path)
        chromium.close()


def lab_pictures(settings: Settings, browser: str) -> None:
    """Runs all three notebooks in JupyterLab and takes lab-chart.png and lab-status.png while the stream runs."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        own = settings.model_copy(update={"output_dir": Path(folder, "output"), "batches": None, "idle_s": None})
        server = Server(Path(folder), own)
        person = Person(playwright, browser, server)
        for notebook in (TASK_2, TASK_3):
            person.do(notebook, "notebook:run-all-cells")
        until(lambda: "waiting" in person.seen(TASK_2, "status = LiveStatus("), 240, "Task 2 to listen")
        person.do(TASK_1, "notebook:run-all-cells")
        until(lambda: "batch   60 " in person.seen(TASK_1, "sender.confirm("), 240, "a minute of batches")
        person.show(TASK_3, "plt.subplots(")
        person.page.screenshot(path=DOCS / "lab-chart.png")
        person.show(TASK_2, "frauds_table = ")
        person.page.screenshot(path=DOCS / "lab-status.png")
        person.close()
        server.close()


if __name__ == "__main__":
    main()
