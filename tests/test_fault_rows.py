"""The table of faults names tests that exist, and says what became of them."""

import re

import fault_rows
import pytest

from fraudstream.settings import PROJECT

TESTS = {
    f"{path.relative_to(PROJECT / 'tests').as_posix()}::{name}"
    for path in (PROJECT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("row", fault_rows.ROWS, ids=lambda row: row.what)
def test_each_row_has_a_test_for_each_of_its_names(row):
    assert [name for name in row.tests if not any(test.startswith(name.partition("[")[0]) for test in TESTS)] == []


def test_the_table_tells_what_passed_failed_and_was_not_run():
    first, second, third = fault_rows.ROWS[0].tests[0], fault_rows.ROWS[1].tests[0], fault_rows.ROWS[3].tests[0]
    outcomes = {f"{first}_is_named": ("passed", "3 files"), second: ("passed", ""), f"{third}": ("failed", "")}
    lines = fault_rows.table(outcomes)
    assert len(lines) == 1 + len(fault_rows.ROWS)
    assert lines[1].endswith(" 1 passed  3 files")
    assert lines[2].split()[-2:] == ["1", "passed"]
    assert lines[3].split()[-3:] == ["not", "run", "here"]
    assert lines[4].split()[-1] == "failed!"
