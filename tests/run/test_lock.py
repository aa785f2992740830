"""The package locks: complete and hashed for every Python; a stale lock is noticed."""

import re
import shutil

import pytest
from packaging.requirements import Requirement

from tools.lock import LOCKS, PROJECT, stale, wanted

PYTHONS = {"3.10": "3.10.13", "3.11": "3.11.7", "3.12": "3.12.1", "3.13": "3.13.0"}
SYSTEMS = {"linux": ("posix", "Linux"), "darwin": ("posix", "Darwin"), "win32": ("nt", "Windows")}
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": PYTHONS[python],
        "sys_platform": system,
        "os_name": SYSTEMS[system][0],
        "platform_system": SYSTEMS[system][1],
    }
    for python in PYTHONS
    for system in SYSTEMS
]
everywhere = pytest.mark.parametrize(
    "environment", ENVIRONMENTS, ids=lambda each: f"{each['python_version']}-{each['sys_platform']}"
)
both = pytest.mark.parametrize("lock", LOCKS.values())


def packages(lock):
    """Entries of a lock: requirement and its options, one line each."""
    text = re.sub(r"^ *#.*\n", "", (PROJECT / lock).read_text(), flags=re.MULTILINE)
    return [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip()]


def installed(lines, environment):
    """{name: [versions]} of what applies there."""
    found = {}
    for line in lines:
        wanted = Requirement(line.split(" --hash")[0])
        if wanted.marker is None or wanted.marker.evaluate(environment):
            name = re.sub(r"[-_.]+", "-", wanted.name).lower()
            found.setdefault(name, []).append(str(wanted.specifier).removeprefix("=="))
    return found


@pytest.fixture
def copy(tmp_path):
    for name in (*LOCKS, *LOCKS.values(), "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_locks_are_of_what_is_asked_for():
    assert stale() == [], "make lock"


def test_an_edited_comment_changes_nothing(copy):
    edit(copy / "requirements.in", "# predictions as parquet", "# the predictions as parquet")
    assert stale(copy) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("requirements.in", "pandas==2.3.3", "pandas==2.3.2", ["requirements.txt"]),
        ("requirements-tests.in", "pytest==", "pytest>=", ["requirements-tests.txt"]),
        ("pyproject.toml", ">=3.10", ">=3.11", list(LOCKS.values())),
        # the second lock has the versions of the first
        ("requirements.txt", "pandas==2.3.3", "pandas==2.3.2", list(LOCKS.values())),
        ("requirements-tests.txt", "pytest==", "pytest>=", ["requirements-tests.txt"]),
    ],
)
def test_what_is_edited_makes_its_lock_stale(copy, name, old, new, expected):
    edit(copy / name, old, new)
    assert stale(copy) == expected


def test_a_missing_lock_is_stale(copy):
    (copy / "requirements.txt").write_text("")
    assert "requirements.txt" in stale(copy)


@both
def test_every_package_has_one_version_and_hashes(lock):
    pinned = re.compile(r"[a-z0-9.-]+==[\w.+!]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in packages(lock) if not pinned.fullmatch(entry.strip())] == []


@both
def test_a_lock_names_no_address(lock):
    assert re.findall(r".*(?:://|index-url|find-links|trusted-host).*", (PROJECT / lock).read_text()) == []


@everywhere
def test_what_is_asked_for_is_locked_once_for_each_python_and_system(environment):
    for asked, lock in LOCKS.items():
        pins = installed((line for line in wanted(PROJECT, asked) if "==" in line), environment)
        locked = installed(packages(lock), environment)
        assert [name for name, versions in locked.items() if len(versions) > 1] == []
        assert {name: locked.get(name) for name in pins} == pins


@everywhere
def test_tests_and_lint_take_the_versions_of_the_first_lock(environment):
    first, second = (installed(packages(lock), environment) for lock in LOCKS.values())
    assert {name: second[name] for name in first.keys() & second} == {
        name: first[name] for name in first.keys() & second
    }


def test_kernel_of_python_3_10_is_of_the_same_major_version_as_the_others():
    kernels = {installed(packages("requirements.txt"), environment)["ipykernel"][0] for environment in ENVIRONMENTS}
    assert {version.split(".")[0] for version in kernels} == {"7"}
