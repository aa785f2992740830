"""Locks the packages: requirements*.in with all their dependencies, each with its hashes (make lock)."""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

LOCKS = {"requirements.in": "requirements.txt", "requirements-tests.in": "requirements-tests.txt"}
"""Inputs and their locks, in order: the second is constrained to the versions of the first."""

DIGEST = re.compile(r"^# sha256 ([0-9a-f]{64})$", re.MULTILINE)

HEADER = """\
# Written by `make lock` from {asked}, do not edit: exact versions and hashes for Python 3.10 to 3.13.
# Install it with: pip install -r {lock}
# sha256 {digest}
"""


def wanted(folder: Path, name: str) -> list[str]:
    """Lines of one input without comments, sorted: requirements and `-c` constraints."""
    lines = [re.sub(r"(^|\s+)#.*", "", line).strip() for line in (folder / name).read_text().splitlines()]
    return sorted(line for line in lines if line)


def digest(folder: Path, name: str, packages: str) -> str:
    """sha256 (hex) of what decides a lock and of its packages: it changes when any of them is edited.

    That is the input, the constraint's own lock, and the Pythons that pyproject.toml allows.
    """
    lines = wanted(folder, name)
    constraints = [(folder / line.removeprefix("-c ")).read_text() for line in lines if line.startswith("-c ")]
    pythons = re.findall(r"^requires-python = .*$", (folder / "pyproject.toml").read_text(), re.MULTILINE)
    return hashlib.sha256("\n".join([*pythons, *lines, *constraints, packages.strip()]).encode()).hexdigest()


def stale(folder: Path = PROJECT) -> list[str]:
    """Names of the locks that `make lock` has to renew. Needs no network."""
    found = []
    for asked, lock in LOCKS.items():
        text = (folder / lock).read_text() if (folder / lock).exists() else ""
        kept = DIGEST.search(text)
        if not kept or kept.group(1) != digest(folder, asked, text[kept.end() :]):
            found.append(lock)
    return found


def compile_lock(folder: Path, asked: str, *, upgrade: bool) -> None:
    """Write one lock. Versions that are locked already stay where they fit, unless UPGRADE.

    Raises subprocess.CalledProcessError if uv finds no set of versions, or no network.
    """
    lock = folder / LOCKS[asked]
    floor = re.search(r'requires-python = ">=([\d.]+)', (folder / "pyproject.toml").read_text()).group(1)
    command = [Path(sys.executable).with_name("uv"), "pip", "compile", asked, "--output-file", lock.name]
    command += ["--universal", "--python-version", floor, "--generate-hashes", "--quiet", "--no-header"]
    # nothing of this machine: no address of an index, no settings, no Python fetched to build with
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-config", "--no-python-downloads"]
    subprocess.run(command + ["--upgrade"] * upgrade, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    packages = lock.read_text()
    header = HEADER.format(asked=asked, lock=lock.name, digest=digest(folder, asked, packages))
    lock.write_text(f"{header}\n{packages}")


def main() -> None:
    """Renew the locks, in order."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    for asked in LOCKS:
        try:
            compile_lock(PROJECT, asked, upgrade=upgrade)
        except subprocess.CalledProcessError:
            sys.exit(f"{LOCKS[asked]} is not renewed: uv could not resolve {asked}, see above.")
    print(f"Written: {', '.join(LOCKS.values())}.")


if __name__ == "__main__":
    main()
