"""The Spark and the Python of a session are this environment's, whatever variables an older Spark left."""

import os
import sys

import pytest

from fraudstream.errors import RuntimeMissingError, SettingsError
from fraudstream.storage import spark_environment
from fraudstream.storage.spark_environment import IGNORED, SPARK, use_own_spark


@pytest.fixture
def older(tmp_path, monkeypatch):
    """The folder of an older Spark, and no variable of any Spark; what the test sets is undone."""
    for name in (*IGNORED, "SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_PYTHON"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    home = tmp_path / "spark-3.4.0"
    (home / "jars").mkdir(parents=True)
    (home / "jars" / "spark-core_2.12-3.4.0.jar").touch()
    (home / "conf").mkdir()
    return home


def said():
    notes = []
    use_own_spark(note=notes.append)
    return notes


def test_workers_have_this_process_s_python(older):
    assert said() == []
    assert os.environ["PYSPARK_PYTHON"] == sys.executable
    assert os.environ["SPARK_HOME"].endswith("pyspark")


def test_a_cluster_s_python_comes_from_the_setting(older):
    use_own_spark("/opt/python/bin/python3")
    assert os.environ["PYSPARK_PYTHON"] == "/opt/python/bin/python3"


def test_variables_of_an_older_spark_are_ignored_and_named_once(older, monkeypatch):
    monkeypatch.setenv("SPARK_HOME", str(older))
    monkeypatch.setenv("SPARK_CONF_DIR", str(older / "conf"))
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--packages org.apache.spark:spark-sql_2.12:3.4.0 pyspark-shell")
    monkeypatch.setenv("PYSPARK_PYTHON", "python2")
    names = "PYSPARK_SUBMIT_ARGS, SPARK_HOME, SPARK_CONF_DIR, PYSPARK_PYTHON"
    assert said() == [f"Ignored environment variables of another Spark: {names}. Spark {SPARK} is used."]
    assert not {"PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR"} & os.environ.keys()
    assert (os.environ["PYSPARK_PYTHON"], said()) == (sys.executable, [])


def test_a_spark_of_the_same_version_and_a_site_s_settings_are_used(older, tmp_path, monkeypatch):
    (older / "jars" / f"spark-core_2.13-{SPARK}.jar").touch()
    conf = tmp_path / "site"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text(f"spark.jars.packages org.apache.spark:spark-avro_2.13:{SPARK}\n")
    monkeypatch.setenv("SPARK_HOME", str(older))
    monkeypatch.setenv("SPARK_CONF_DIR", str(conf))
    assert said() == []
    assert (os.environ["SPARK_HOME"], os.environ["SPARK_CONF_DIR"]) == (str(older), str(conf))


def test_settings_for_another_spark_are_refused_by_name(older, monkeypatch):
    (older / "conf" / "spark-defaults.conf").write_text(
        "# org.apache.spark:spark-avro_2.12:3.3.0\nspark.jars.packages org.apache.spark:spark-avro_2.12:3.4.0\n"
    )
    monkeypatch.setenv("SPARK_CONF_DIR", str(older / "conf"))
    with pytest.raises(SettingsError) as caught:
        said()
    assert str(caught.value) == (
        f"SPARK_CONF_DIR={older / 'conf'}: spark-defaults.conf asks for a package of Spark 3.4.0 (Scala 2.12), and "
        f"this is Spark {SPARK}. Unset SPARK_CONF_DIR, or correct the package there."
    )


def test_another_pyspark_on_pythonpath_is_refused(older, monkeypatch):
    package = older / "python" / "pyspark"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    found = spark_environment.importlib.util.spec_from_file_location("pyspark", package / "__init__.py")
    monkeypatch.setattr(spark_environment.importlib.util, "find_spec", lambda name: found)
    with pytest.raises(RuntimeMissingError, match=f"^{package}: this pyspark is not version {SPARK}; PYTHONPATH puts"):
        said()
