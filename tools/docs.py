"""Takes docs/executed and the pictures of the documents from a real run: `make docs`."""

import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from fraudstream.run.handin import CHART, executed
from fraudstream.run.headless import run
from fraudstream.settings import PROJECT, load_settings
from tools.browser import BROWSERS, FLAGS, find_browser

DOCS = PROJECT / "docs"
BATCHES = 90
PAGE = """<meta charset="utf-8"><body style="font-family: system-ui, sans-serif; margin: 0; background: #fff">
<div id="all" style="display: grid; grid-template-columns: 700px 700px; gap: 0 40px; padding: 20px 28px; width: 1440px">
<div>{left}</div><div>{right}</div></div>"""


def main() -> None:
    """Runs the notebooks; writes docs/executed, docs/chart.png and, where there is a Chromium, docs/reports.png."""
    settings = load_settings(output_dir=PROJECT / "output" / "docs", batches=BATCHES)
    run(settings)
    notebooks = executed(settings)
    (DOCS / "executed").mkdir(exist_ok=True)
    for name, notebook in notebooks.items():
        nbformat.write(for_pages(notebook), DOCS / "executed" / name)
    shutil.copy(settings.output_dir / CHART, DOCS / "chart.png")
    if browser := find_browser():
        picture(live_tables(notebooks["A2B-Task2_spark_streaming.ipynb"]), DOCS / "reports.png", browser)
    else:
        print(f"No {', '.join(BROWSERS)}: docs/reports.png is unchanged.")


def live_tables(notebook: NotebookNode) -> list[str]:
    """The reports and the stream health as HTML, in the notebook's order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    return [page for page in pages if 'class="fraudstream"' in page]


def for_pages(notebook: NotebookNode) -> NotebookNode:
    """Adds a picture for each chart in HTML, because sites that show notebooks drop SVG inside HTML."""
    for cell in notebook.cells:
        outputs = []
        for output in cell.get("outputs", []):
            outputs.append(output)
            if found := re.search(r"<svg.*</svg>", output.get("data", {}).get("text/html", ""), re.DOTALL):
                outputs.append(nbformat.v4.new_output("display_data", {"image/svg+xml": found[0]}))
        if outputs:
            cell.outputs = outputs
    return notebook


def picture(tables: list[str], path: Path, browser: str) -> None:
    """Saves the tables side by side as PNG: frauds and quantity on the left, products and health on the right."""
    from playwright.sync_api import sync_playwright

    frauds, quantity, products, *health = tables
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1500, "height": 1000}, device_scale_factor=1.25)
        page.set_content(PAGE.format(left=frauds + quantity, right=products + "".join(health)))
        page.locator("#all").screenshot(path=path)
        chromium.close()


if __name__ == "__main__":
    main()
