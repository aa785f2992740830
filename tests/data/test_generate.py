"""The generator's files: the same bytes for the same seed, and files of the user are never overwritten."""

import hashlib
from pathlib import Path

import pytest

from fraudstream.data.csv_files import check_header
from fraudstream.data.generate import generate
from fraudstream.errors import DataError, SettingsError
from fraudstream.schemas import FILES

# sha256 of the hashes of all files at scale 0.02, seed 42
GOLDEN = "5a455e734811d6e4d935d431bd07fafc3b995d46887748d9710d07297c1ab3d2"


def hashes(data_dir: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(data_dir.glob("*.csv"))}


def test_same_seed_gives_same_bytes_on_every_machine(tmp_path):
    assert generate(tmp_path / "a", 0.02, 42, progress=False)["browsing_behaviour.csv"] == 6_000
    generate(tmp_path / "b", 0.02, 42, progress=False)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    together = hashlib.sha256(repr(hashes(tmp_path / "a")).encode()).hexdigest()
    assert together == GOLDEN, "other bytes than before: if that is meant, raise EDITION in generate/manifest.py"


def test_other_seed_gives_other_bytes(tmp_path):
    generate(tmp_path / "a", 0.01, 1, progress=False)
    generate(tmp_path / "b", 0.01, 2, progress=False)
    a, b = hashes(tmp_path / "a"), hashes(tmp_path / "b")
    assert sorted(a) == sorted(FILES)
    assert [name for name in a if a[name] == b[name]] == ["category.csv"]


def test_own_files_are_replaced_by_those_of_another_seed(tmp_path):
    generate(tmp_path / "one", 0.01, 1, progress=False)
    generate(tmp_path / "one", 0.01, 2, progress=False)
    generate(tmp_path / "other", 0.01, 2, progress=False)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "other")


def test_nothing_is_done_when_the_same_data_are_there(tmp_path, capsys):
    rows = generate(tmp_path, 0.01, 42, progress=False)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.csv")}
    assert generate(tmp_path, 0.01, 42) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.csv")} == written
    assert capsys.readouterr().out == f"{tmp_path} holds the data of scale 0.01 and seed 42 already: nothing to do.\n"


def test_missing_file_is_made_again(tmp_path):
    generate(tmp_path, 0.01, progress=False)
    complete = hashes(tmp_path)
    (tmp_path / "product.csv").unlink()
    generate(tmp_path, 0.01, progress=False)
    assert hashes(tmp_path) == complete


@pytest.mark.parametrize("name", ["customer.csv", "transaction.csv", "new_transactions.csv"])
def test_file_of_the_user_is_never_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine\n")
    with pytest.raises(DataError) as error:
        generate(tmp_path, 0.01, progress=False)
    assert str(error.value) == (
        f"{name} in {tmp_path}: not made by fraudstream, or changed since, so not overwritten. Nothing was written. "
        "Move your files away, or choose another folder with --data-dir."
    )
    assert {path.name: path.read_text() for path in tmp_path.glob("*.csv")} == {name: "mine\n"}
    assert not list(tmp_path.glob("*.json")) + list(tmp_path.glob(".*.partial"))


def test_generated_file_that_the_user_changed_is_never_overwritten(tmp_path):
    generate(tmp_path, 0.01, 1, progress=False)
    with (tmp_path / "product.csv").open("a") as file:
        file.write("1,Men,Red,Fall,2020,Casual,Mine,1\n")
    changed = hashes(tmp_path)
    with pytest.raises(DataError, match=r"^product\.csv in "):
        generate(tmp_path, 0.01, 2, progress=False)
    assert hashes(tmp_path) == changed


def test_run_killed_between_two_renames_is_made_good_by_the_next(tmp_path, monkeypatch):
    generate(tmp_path, 0.01, 1, progress=False)
    rename = Path.replace

    def killed_at_products(path: Path, target: Path) -> Path:
        if target.name == "product.csv":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", killed_at_products)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, 0.01, 2, progress=False)
    monkeypatch.undo()
    generate(tmp_path, 0.01, 2, progress=False)
    generate(tmp_path / "undisturbed", 0.01, 2, progress=False)
    assert hashes(tmp_path) == hashes(tmp_path / "undisturbed")


@pytest.mark.parametrize("scale", [0, 0.009, 21, float("nan")])
def test_impossible_scale_is_refused(tmp_path, scale):
    with pytest.raises(SettingsError) as error:
        generate(tmp_path / "data", scale, progress=False)
    assert str(error.value) == f"--scale {scale:g}: must be from 0.01 to 20 (1: 300,000 past browsing rows)."
    assert not (tmp_path / "data").exists()


def test_files_have_the_columns_and_sizes_of_the_assignment(tmp_path):
    rows = generate(tmp_path, 0.02, progress=False)
    for name, columns in FILES.items():
        assert check_header(tmp_path / name, columns) == list(columns)
        assert b"\r" not in (tmp_path / name).read_bytes()
    assert (rows["browsing_behaviour.csv"], rows["new_browsing_behaviour.csv"]) == (6_000, 2_000)
