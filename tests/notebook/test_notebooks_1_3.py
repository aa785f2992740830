"""The notebooks of Tasks 1 and 3, executed headless with a real Kafka, and read as the grader reads them."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from stream_files import event, records, transaction, write_stream

from fraudstream.kafka.client import recreate_topics
from fraudstream.schemas import TOPICS
from fraudstream.settings import PROJECT

VIEW = "application/vnd.jupyter.widget-view+json"
TASK_1, TASK_3 = PROJECT / "A2B-Task1_producer.ipynb", PROJECT / "A2B-Task3_consumer.ipynb"


def load(path, replace=("", "")):
    """The committed notebook; ``replace`` changes one text of its code."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(*replace) if replace[0] else cell.source
    return notebook


def execute(notebook):
    """Runs a notebook in its own kernel, from the project's folder; returns it with its outputs."""
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(PROJECT)}}).execute()
    return notebook


def printed(notebook):
    """All text that the cells show, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture
def folder(broker, tmp_path, monkeypatch):
    """Data for three batches (the second without transactions), empty topics, and the environment that names them."""
    recreate_topics({"bootstrap_servers": [broker]})
    bought = [
        transaction(8, -1),
        transaction(0, 60),
        transaction(1, 1194, "Fail"),
        transaction(2, 2500),
        transaction(9, 9e3),
    ]
    write_stream(tmp_path / "data", events=450, transactions=bought)
    monkeypatch.setenv("FRAUDSTREAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FRAUDSTREAM_OUTPUT_DIR", str(tmp_path / "output"))
    monkeypatch.setenv("FRAUDSTREAM_INTERVAL_S", "0.2")
    monkeypatch.setenv("FRAUDSTREAM_IDLE_S", "3")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.delenv("FRAUDSTREAM_BATCHES", raising=False)
    return tmp_path


def test_task_1_sends_the_files_batch_by_batch(folder, broker):
    notebook = execute(load(TASK_1))
    browsing, transactions = ([json.loads(record.value) for record in records(broker, topic)] for topic in TOPICS)
    stamps = [batch[0]["ts"] for batch in browsing]
    assert [len(batch) for batch in browsing] == [200, 200, 50]
    assert [row for batch in browsing for row in batch] == [
        {**event(number), "ts": stamps[number // 200]} for number in range(450)
    ]
    assert transactions == [
        [{**row, "ts": stamps[0]} for row in (transaction(0, 60), transaction(1, 1194, "Fail"))],
        [],
        [{**transaction(2, 2500), "ts": stamps[2]}],
    ]
    for topic in TOPICS:
        assert [record.timestamp for record in records(broker, topic)] == [ts * 1000 for ts in stamps]
    assert re.search(
        r"batch +2 +2024-01-01 00:40:54.302 to 2024-01-01 01:00:48.302 +200 rows +0 transactions", printed(notebook)
    )
    assert "Not sent: 1 transactions before the first event, 1 after the end of the last batch." in printed(notebook)


def test_task_1_run_again_goes_on_after_the_last_batch(folder, broker, monkeypatch):
    monkeypatch.setenv("FRAUDSTREAM_BATCHES", "2")
    execute(load(TASK_1))
    monkeypatch.setenv("FRAUDSTREAM_BATCHES", "1")
    assert "That is everything" in printed(execute(load(TASK_1)))
    assert [len(records(broker, topic)) for topic in TOPICS] == [2, 2]
    monkeypatch.delenv("FRAUDSTREAM_BATCHES")
    notebook = execute(load(TASK_1))
    assert "Batch 3 is next." in printed(notebook)
    assert [[len(json.loads(record.value)) for record in records(broker, topic)] for topic in TOPICS] == [
        [200, 200, 50],
        [2, 0, 1],
    ]


INTERRUPT_ONCE = """
import os, signal
pending = [signal.SIGINT]
def interrupt_once():
    if pending:
        os.kill(os.getpid(), pending.pop())
"""


def test_task_1_interrupted_ends_without_a_stack_trace_and_its_cell_can_run_again(folder, broker):
    update = "        show(sent.add(start, end, rows, bought, ts))"
    notebook = load(TASK_1, (update, f"{update}\n        interrupt_once()"))
    loop = next(number for number, cell in enumerate(notebook.cells) if "interrupt_once" in cell.source)
    again = notebook.cells[loop].source
    notebook.cells[loop : loop + 1] = [nbformat.v4.new_code_cell(code) for code in (INTERRUPT_ONCE, again, again)]
    text = printed(execute(notebook))
    assert "Interrupted. Run this cell again: sending continues where it stopped." in text
    assert "Batch 2 is next." in text
    assert [len(records(broker, topic)) for topic in TOPICS] == [3, 3]


def test_task_1_interrupted_in_the_middle_of_a_batch_completes_it_and_tells_what_the_topics_hold(folder, broker):
    between = "            message = json.dumps"
    interrupt = "            if topic == TRANSACTION_TOPIC:\n                interrupt_once()\n"
    notebook = load(TASK_1, (between, interrupt + between))
    notebook.cells.insert(1, nbformat.v4.new_code_cell(INTERRUPT_ONCE))
    text = printed(execute(notebook))
    assert "Interrupted. Run this cell again: sending continues where it stopped." in text
    assert [[len(json.loads(record.value)) for record in records(broker, topic)] for topic in TOPICS] == [[200], [2]]
    assert "The topics contain 1 batches: 200 browsing rows and 2 transactions; the last ts is " in text
    assert "Not sent: 1 transactions before the first event, 2 after the end of the last batch." in text


def test_an_error_is_shown_as_one_line(folder):
    (folder / "data" / "new_transaction.csv").unlink()
    notebook = load(TASK_1)
    with pytest.raises(CellExecutionError):
        execute(notebook)
    (error,) = [out for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "error"]
    assert error.traceback == [
        f"DataError: new_transaction.csv: not found in {folder / 'data'}. Put the files there, set "
        "FRAUDSTREAM_DATA_DIR to their folder, or make data with: python -m fraudstream generate"
    ]


def test_task_3_draws_every_batch_once_and_keeps_the_picture(folder, broker):
    execute(load(TASK_1))
    notebook = execute(load(TASK_3, ("picture = ", "print('points', list(zip(chart.ts, chart.counts)))\npicture = ")))
    stamps = [record.timestamp // 1000 for record in records(broker, "transactions")]
    assert f"points {list(zip(stamps, [1, 0, 1], strict=True))}" in printed(notebook)
    assert "3 batches, 3 transactions, 2 successful." in printed(notebook)
    (drawn,) = [cell for cell in notebook.cells if cell.cell_type == "code" and "plt.subplots(" in cell.source]
    assert "image/png" in drawn.outputs[-1].data
    picture = Image.open(folder / "output" / "successful_transactions.png").convert("RGB")
    assert {colour: count for count, colour in picture.getcolors(1 << 20)}[(0x2F, 0x7B, 0xC4)] > 200


def test_task_3_interrupted_keeps_the_finished_picture(folder):
    execute(load(TASK_1))
    drawn = "            figure.canvas.draw()"
    interrupt = f"{drawn}\n            import os, signal\n            os.kill(os.getpid(), signal.SIGINT)"
    text = printed(execute(load(TASK_3, (drawn, interrupt))))
    assert "Interrupted: the chart is no longer updated." in text
    assert "3 batches, 3 transactions, 2 successful." in text


class Browser(NotebookClient):
    """Acts like a browser that shows the figure: it tells the kernel so while the loop's cell is running."""

    said = False

    def process_message(self, msg, cell, cell_index):
        if "figure.canvas.draw()" in cell.source and not self.said:
            self.said = True
            outputs = [output for shown in self.nb.cells for output in shown.get("outputs", []) if "data" in output]
            (view,) = [out.data[VIEW] for out in outputs if VIEW in out.data and "Canvas" in out.data["text/plain"]]
            data = {"method": "custom", "content": {"type": "initialized"}}
            self.kc.shell_channel.send(self.kc.session.msg("comm_msg", {"comm_id": view["model_id"], "data": data}))
        return super().process_message(msg, cell, cell_index)


def test_task_3_answers_the_figure_while_its_loop_runs(folder, monkeypatch):
    notebook = load(TASK_3)
    (loop,) = [cell for cell in notebook.cells if "figure.canvas.draw()" in cell.source]
    loop.source += "\nprint('the figure is shown while the loop runs:', not figure.canvas.syncing_data_url)"
    monkeypatch.setenv("FRAUDSTREAM_IDLE_S", "0.2")
    Browser(notebook, timeout=120, resources={"metadata": {"path": str(PROJECT)}}).execute()
    assert "the figure is shown while the loop runs: True" in printed(notebook)


def test_task_3_without_any_message_ends_with_a_note(folder, monkeypatch):
    monkeypatch.setenv("FRAUDSTREAM_IDLE_S", "0.2")
    text = printed(execute(load(TASK_3)))
    assert "No message for 2 s: the chart ends here." in text
    assert "0 batches, 0 transactions, 0 successful." in text


def source(path: Path, kind: str) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


@pytest.mark.parametrize("path", [TASK_1, TASK_3])
def test_cells_are_without_spark(path):
    assert "spark" not in "\n".join(source(path, "code")).replace("fraudstream", "").lower()


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        (
            TASK_1,
            [
                "from kafka3 import KafkaProducer",
                "csv.DictReader(",
                "islice(browsing, 200)",
                "start <= created_at <= end",
                "json.dumps(with_ts(batch, ts)",
                "ticker.tick(int(time.time()))",
                "producer.send",
                "await asyncio.sleep(ticker.remaining_s())",
                'acks="all"',
            ],
        ),
        (
            TASK_3,
            [
                "from kafka import KafkaConsumer",
                "json.loads(",
                '== "Success"',
                "axes.plot(",
                "line.set_data(",
                "%matplotlib",
            ],
        ),
    ],
)
def test_what_is_graded_stands_in_the_notebook(path, calls):
    code = "\n".join(source(path, "code"))
    assert [call for call in calls if call not in code] == []
