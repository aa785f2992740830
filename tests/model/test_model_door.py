"""Checks of the model's zip: what is refused before anything is unpacked or loaded, with the reason."""

import json
import re
import stat
import subprocess
import sys
import zipfile

import pytest
from zips import ASSEMBLER, CLASSIFICATION, FEATURE, TREES, assembler, entries, indexer, small_model, write_zip

from fraudstream.errors import ModelError, SettingsError, command
from fraudstream.model import SavedModel
from fraudstream.model.metadata import SPARK
from fraudstream.schemas import STREAM_COLUMNS

REMEDY = "Zip the folder my_ML_model that PipelineModel.save wrote."


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my_ML_model.zip"


def refusal(path, contents=None, **limits):
    """The message against the zip of these entries, without the path in front."""
    if contents is not None:
        write_zip(path, contents)
    with pytest.raises(ModelError) as caught:
        SavedModel.open(path, **limits)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def unfit(path, *stages, aliases=None, **pipeline):
    """The message against a model of these stages whose zip is fine."""
    write_zip(path, entries(*stages, **pipeline))
    with pytest.raises(ModelError) as caught:
        SavedModel.open(path).match(STREAM_COLUMNS, aliases)
    return str(caught.value).removeprefix(f"{path}: ")


def with_entry(entry, content=b""):
    """A good model's zip with one more entry in it; ``entry`` is its name or its ZipInfo."""
    return {**entries(ASSEMBLER, TREES), entry: content}


def test_a_good_model_passes_and_nothing_is_written(path):
    assert SavedModel.open(small_model(path)).path == path
    assert list(path.parent.iterdir()) == [path]


def test_missing(path):
    assert refusal(path) == f"no such model. Train one ({command('train')}) or set FRAUDSTREAM_MODEL."


def test_a_saved_model_s_folder_is_answered_with_the_command_that_zips_it(path, tmp_path):
    with zipfile.ZipFile(small_model(path)) as archive:
        archive.extractall(tmp_path / "a folder")
    folder = tmp_path / "a folder" / "my_ML_model"
    said = [refusal(given).removesuffix(".") for given in (folder, folder.parent)]
    assert said[0] == said[1]
    make = re.search(r"\((cd .*)\)", said[0])[1]
    subprocess.run(["sh", "-c", make], check=True)
    assert said[0] == f"a folder, not a zip. Zip it ({make}), then set FRAUDSTREAM_MODEL='{folder}.zip'"
    assert SavedModel.open(folder.with_suffix(".zip")).signature.inputs == SavedModel.open(path).signature.inputs


def test_a_folder_that_is_no_model(path):
    path.mkdir()
    assert refusal(path) == f"a folder, not a zip. {REMEDY} Then set FRAUDSTREAM_MODEL to that zip."


TUNED = 'Save its bestModel: model.bestModel.save("my_ML_model"). Then zip that folder.'


@pytest.mark.parametrize("kind", ["CrossValidatorModel", "TrainValidationSplitModel"])
@pytest.mark.parametrize("root", ["my_ML_model/", ""])
def test_a_tuned_model_is_named_with_the_way_to_save_its_best(path, kind, root):
    tuned = {f"{root}metadata/part-00000": json.dumps({"class": f"org.apache.spark.ml.tuning.{kind}"})}
    contents = {**tuned, **entries(ASSEMBLER, TREES, root=f"{root}bestModel/")}
    assert refusal(path, contents) == f"holds a {kind}, not a PipelineModel. {TUNED}"


def test_a_classifier_without_its_stages_is_named(path):
    contents = {"my_ML_model/metadata/part-00000": json.dumps(TREES), "my_ML_model/data/part-00000.parquet": b""}
    assert refusal(path, contents) == (
        "holds a GBTClassificationModel, not a PipelineModel. Save it together with the stages that prepare its "
        "columns: what Pipeline.fit returned."
    )


def test_a_model_that_found_no_fraud_in_training_says_so(path):
    saved = SavedModel.open(small_model(path))
    metrics = {"sha256": saved.sha256, "saved": "one", "models": {"one": {"recall": 0.0}}}
    (path.parent / "metrics.json").write_text(json.dumps(metrics))
    warning = "Warning: in training this model found no fraud at all (recall 0). Train it on more data."
    assert warning in saved.match(STREAM_COLUMNS).notes()
    (path.parent / "metrics.json").write_text(json.dumps({**metrics, "sha256": "another zip's"}))
    assert warning not in saved.match(STREAM_COLUMNS).notes()


@pytest.mark.parametrize("content", [b"", b"PK no zip", b"\x1f\x8b a gzip"])
def test_not_a_zip(path, content):
    path.write_bytes(content)
    assert refusal(path) == f"not a zip file. {REMEDY}"


def test_cut_short(path):
    path.write_bytes(small_model(path).read_bytes()[:-30])
    assert refusal(path) == f"not a zip file. {REMEDY}"


def test_damaged_inside(path):
    content = bytearray(small_model(path).read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    assert "cannot be read" in refusal(path)


def test_another_folder_is_named(path):
    found = "no my_ML_model/metadata and my_ML_model/stages in it (found: best_model/)"
    assert refusal(path, entries(ASSEMBLER, TREES, root="best_model/")) == f"{found}. {REMEDY}"


def test_a_zip_of_the_folder_s_inside_is_unpacked_to_the_same_place(path):
    write_zip(path, entries(ASSEMBLER, TREES, root=""))
    folder = SavedModel.open(path).fresh_folder(path.parent / "model")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    assert sorted(each.name for each in (path.parent / "model" / "my_ML_model").iterdir()) == ["metadata", "stages"]


def test_the_fresh_folder_holds_nothing_of_an_older_model(path, tmp_path):
    (tmp_path / "model" / "my_ML_model" / "stages").mkdir(parents=True)
    assert list(SavedModel.open(small_model(path)).fresh_folder(tmp_path / "model").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../escaped", "leads out of its folder"),
        ("my_ML_model/../../escaped", "leads out of its folder"),
        ("/etc/escaped", "has an absolute name"),
        ("C:/escaped", "has an absolute name"),
        ("my_ML_model\\escaped", "has a backslash or a control character in its name"),
        ("my_ML_model/a\nb", "has a backslash or a control character in its name"),
    ],
)
def test_names_that_lead_elsewhere(path, name, reason):
    assert refusal(path, with_entry(name)) == f"the entry {name!r} {reason}. {REMEDY}"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR], ids=["link", "pipe", "device"])
def test_links_and_special_files(path, kind):
    entry = zipfile.ZipInfo("my_ML_model/odd")
    entry.external_attr = (kind | 0o644) << 16
    assert refusal(path, with_entry(entry, b"/etc/passwd")).startswith(
        "the entry 'my_ML_model/odd' is a link or a special file."
    )


def test_encrypted(path):
    content = bytearray(small_model(path).read_bytes())
    content[6] |= 1  # the flag, in the first entry's own header and in the zip's directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refusal(path) == f"the entry 'my_ML_model/metadata/part-00000' is encrypted. {REMEDY}"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["my_ML_model/A", "my_ML_model/a/b"], ids=["another case", "below a file"])
def test_two_entries_for_one_place(path, second):
    contents = {**with_entry("my_ML_model/a"), second: b""}
    assert refusal(path, contents) == f"the entry 'my_ML_model/a' is in it twice. {REMEDY}"


def test_a_bomb_is_stopped_at_the_limit_whatever_its_header_says(path):
    bomb = with_entry("my_ML_model/zeros", bytes(2_000_000))
    assert refusal(path, bomb, max_unpacked_mb=1) == f"larger than 1 MB unpacked. {REMEDY}"
    path.write_bytes(path.read_bytes().replace((2_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert "the entry 'my_ML_model/zeros' cannot be read" in refusal(path, max_unpacked_mb=1)


def test_too_many_entries(path, monkeypatch):
    monkeypatch.setattr("fraudstream.model.archive.MAX_ENTRIES", 2)
    assert refusal(path, entries(ASSEMBLER, TREES)) == f"3 entries; a model has at most 2. {REMEDY}"


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "evil.Stage",
        "org.apache.spark.mlx.Stage",
        "pyspark.ml",
        "pyspark.ml.os;system",
        "java.lang.Runtime",
    ],
)
def test_a_class_that_is_not_spark_ml_s_is_refused_by_name(path, name):
    said = refusal(path, entries(ASSEMBLER, {"class": name}, TREES))
    assert said.startswith(f"my_ML_model/stages/1_stage_1/metadata/part-00000 names the class {name}.")


@pytest.mark.parametrize("place", ["metadata/zzz", "stages/2_x/METADATA/part-0", "stages/0_stage_0/metadata/deep/er"])
def test_no_file_that_spark_might_take_for_metadata_is_overlooked(path, place):
    entry, content = f"my_ML_model/{place}", json.dumps({"class": "evil.Stage"})
    assert f"{entry} names the class evil.Stage" in refusal(path, with_entry(entry, content))


def test_refusing_imports_nothing_of_the_model(path, tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    write_zip(path, entries(ASSEMBLER, {"class": "evil.Stage"}, TREES))
    code = "import sys, pathlib; from fraudstream.model import SavedModel; SavedModel.open(pathlib.Path(sys.argv[1]))"
    ended = subprocess.run(
        [sys.executable, "-c", code, path], env={"PYTHONPATH": f"{tmp_path}:."}, capture_output=True, text=True
    )
    assert "names the class evil.Stage" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", ["SQLTransformer", "RFormulaModel"])
def test_a_stage_whose_columns_cannot_be_told(path, kind):
    said = refusal(path, entries({"class": f"{FEATURE}.{kind}"}, TREES))
    assert said.startswith(f"my_ML_model/stages/0_stage_0/metadata/part-00000 is a {FEATURE}.{kind}, which ")


@pytest.mark.parametrize("content", ["", "[]", "no JSON", b"\x1f\x8b\xff", "{}"])
def test_metadata_that_cannot_be_read(path, content):
    contents = {**entries(ASSEMBLER, TREES), "my_ML_model/metadata/part-00000": content}
    assert "my_ML_model/metadata" in refusal(path, contents)


@pytest.mark.parametrize("version", ["2.4.8", "3.3.0", "3.5.0-amzn-1", SPARK])
def test_models_of_this_and_of_older_sparks_pass(path, version):
    write_zip(path, entries(ASSEMBLER, TREES, sparkVersion=version))
    assert SavedModel.open(path).signature.spark == version


@pytest.mark.parametrize("version", ["4.9.0", "5.0.1", "10.0.0"])
def test_a_newer_spark_is_refused_with_both_versions(path, version):
    assert refusal(path, entries(ASSEMBLER, TREES, sparkVersion=version)) == (
        f"saved by Spark {version}, newer than the Spark {SPARK} that would load it. "
        f"Train it with Spark {SPARK} or older."
    )


@pytest.mark.parametrize("kind", ["org.apache.spark.ml.Pipeline", f"{CLASSIFICATION}.GBTClassificationModel"])
def test_something_else_than_a_fitted_pipeline(path, kind):
    said = refusal(path, entries(ASSEMBLER, TREES, **{"class": kind}))
    assert said == f"holds a {kind.rpartition('.')[2]}, not a PipelineModel. Save what Pipeline.fit returned."


@pytest.mark.parametrize("uid", ["../../elsewhere", "stage_7", "stage_*"])
def test_a_stage_that_is_not_in_the_zip(path, uid):
    contents = entries(ASSEMBLER, TREES, paramMap={"stageUids": ["stage_0", uid]})
    assert refusal(path, contents) == f"the stage {uid} is not in my_ML_model/stages. Zip the whole folder again."


def test_a_model_of_another_task_is_refused_with_the_missing_columns_beside_those_there_are(path):
    said = unfit(path, assembler("highval%", "L1_count", "is_promotion"), TREES)
    assert said == (
        "the model needs columns that the stream does not have: highval%, is_promotion. "
        f"The stream has: {', '.join(STREAM_COLUMNS)}. If a column has another name, set "
        "FRAUDSTREAM_ALIASES=highval%=<name in the stream>. Otherwise the model was trained for a different task."
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("AGE", "age"),
        ("L1_ratio", "l1_ratio"),
        ("l2ratio", "l2_ratio"),
        ("level1_count", "l1_count"),
        ("L3-Count", "l3_count"),
        ("num_purchase", "num_purchases"),
        ("Purchases", "num_purchases"),
        ("firstJoinYear", "first_join_year"),
        ("join_year", "first_join_year"),
        ("shipment_lat", "shipment_location_lat"),
        ("longitude", "shipment_location_long"),
    ],
)
def test_other_spellings_of_a_column_are_found(path, theirs, ours):
    write_zip(path, entries(assembler(theirs), TREES))
    (pair,) = SavedModel.open(path).match(STREAM_COLUMNS).columns
    assert (pair.input.column, pair.ours) == (theirs, ours)


def test_an_alias_of_the_user_s_comes_first(path):
    write_zip(path, entries(assembler("oldness", "age"), TREES))
    matched = SavedModel.open(path).match(STREAM_COLUMNS, {"Oldness": "age", "age": "first_join_year"})
    assert [(pair.input.column, pair.ours) for pair in matched.columns] == [
        ("oldness", "age"),
        ("age", "first_join_year"),
    ]


def test_in_a_page_the_matched_columns_are_folded_under_their_number_and_the_notes_are_not(path):
    write_zip(path, entries(assembler("age"), TREES))
    matched = SavedModel.open(path).match(STREAM_COLUMNS)
    shown = matched._repr_html_()
    assert f"<details><summary>All {len(matched.columns)} input columns are matched" in shown
    assert shown.index("</details>") < shown.index(matched.meaning.split(" (")[0])


def test_an_alias_to_no_column_is_named(path):
    saved = SavedModel.open(small_model(path))
    with pytest.raises(SettingsError, match=r"^FRAUDSTREAM_ALIASES: x=agee: no column agee \("):
        saved.match(STREAM_COLUMNS, {"x": "agee"})


def test_a_column_of_another_type_is_refused(path):
    said = unfit(path, assembler("time_of_day"), TREES)
    assert said == "the model needs a number in time_of_day; the stream's time_of_day is string."


def test_a_model_that_is_no_classifier(path):
    clusters = {"class": "org.apache.spark.ml.clustering.KMeansModel", "paramMap": {"featuresCol": "features"}}
    assert unfit(path, ASSEMBLER, clusters).startswith("no stage predicts classes with a probability (stages: VectorA")


@pytest.mark.parametrize(
    ("kind", "params", "reason"),
    [
        ("VectorIndexerModel", {"handleInvalid": "error"}, "has handleInvalid='error' and would drop rows"),
        ("Bucketizer", {"splits": [0.0, 18.0, 99.0]}, "stops at a value outside its splits"),
        ("SomethingNew", {"inputCol": None}, "the input columns of SomethingNew are unknown"),
    ],
)
def test_a_stage_that_would_lose_rows_is_refused(path, kind, params, reason):
    stage = {"class": f"{FEATURE}.{kind}", "paramMap": {"inputCol": "age", "outputCol": "aged", **params}}
    assert reason in unfit(path, stage, assembler("aged"), TREES)


@pytest.mark.parametrize("labels", [("False", "True"), ("0", "1"), ("0.0", "1.0"), ("honest", "fraud")])
def test_the_label_at_index_1_is_said_and_its_indexer_left_out(path, labels):
    label = indexer("is_fraud", *labels, output="label")
    write_zip(path, entries(label, ASSEMBLER, TREES))
    matched = SavedModel.open(path).match(STREAM_COLUMNS)
    assert [pair.ours for pair in matched.columns] == ["age"]
    assert f"prediction = 1 means is_fraud = {labels[1]!r}." in repr(matched)
    assert "Left out, because the prediction does not depend on them: StringIndexerModel (is_fraud)." in repr(matched)


def test_without_an_indexer_of_the_label_1_is_fraud(path):
    matched = SavedModel.open(small_model(path)).match(STREAM_COLUMNS)
    assert matched.meaning == "prediction = 1 is fraud (the model has no label names)."


def test_a_model_whose_1_is_not_fraud_is_refused(path):
    assert unfit(path, indexer("is_fraud", "1", "0", output="label"), ASSEMBLER, TREES) == (
        "prediction = 1 means is_fraud = '0' (labels by index: 1, 0), not for fraud. "
        "Train it with stringOrderType='alphabetAsc' for the label, or with 0 and 1."
    )


def test_other_words_for_the_parts_of_the_day_are_refused_and_missing_ones_said(path):
    stages = assembler("time_of_day_idx"), TREES
    assert unfit(path, indexer("time_of_day", "0", "1", "2", "3"), *stages) == (
        "the model's time_of_day is one of 0, 1, 2, 3; the stream's time_of_day is one of "
        "night, morning, afternoon, evening. Train it with these words."
    )
    write_zip(path, entries(indexer("TimeOfDay", "Evening", "MORNING"), assembler("TimeOfDay_idx"), TREES))
    matched = SavedModel.open(path).match(STREAM_COLUMNS)
    assert "TimeOfDay: the model was trained without night, afternoon." in repr(matched)


def test_an_indexer_without_its_labels(path):
    stage = {key: value for key, value in indexer("gender", "F").items() if key != "learnt"}
    said = unfit(path, stage, assembler("gender_idx"), TREES)
    assert said == "the labels of StringIndexerModel of gender are missing. Save the model again."


@pytest.mark.parametrize(
    ("params", "fill_value"),
    [({}, "F"), ({"stringOrderType": "frequencyAsc"}, "M"), ({"handleInvalid": "keep"}, None)],
    ids=["most frequent first", "most frequent last", "an answer of its own"],
)
def test_what_stands_in_for_a_category_that_is_not_known(path, params, fill_value):
    write_zip(path, entries(indexer("gender", "F", "M", **params), assembler("gender_idx"), TREES))
    (pair,) = SavedModel.open(path).match(STREAM_COLUMNS).columns
    assert pair.fill_value == fill_value
