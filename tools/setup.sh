#!/bin/sh
# Everything that make needs, from a fresh clone: .venv, the pinned requirements, Java. What is there already is left
# alone, so that later calls need no network. PYTHON names the Python that .venv is made with (default: python3).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=.venv
stamp=$venv/requirements.txt # the requirements as they were when they were installed

fail() {
    echo "set-up: $1" >&2
    exit 1
}

# install_or_say MESSAGE PACKAGE...: on a Debian-like system as root it installs the first package that the system knows,
# elsewhere it says what is missing
install_or_say() {
    message=$1
    shift
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        fail "$message"
    fi
    apt-get update -qq </dev/null || fail "$message"
    for package; do
        ! apt-cache show "$package" >/dev/null 2>&1 || break
    done
    echo "set-up: installing $package with apt-get."
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" </dev/null ||
        fail "$message"
}

supported='import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'

make_venv() {
    if ! command -v "$python" >/dev/null 2>&1; then
        install_or_say "There is no $python. Install Python 3.10 to 3.13, or name one: make PYTHON=<program>." "$python"
    fi
    "$python" -c "$supported" ||
        fail "$python is $("$python" --version 2>&1). Python 3.10 to 3.13 is needed: make PYTHON=python3.12, for example."
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        install_or_say "$python cannot make virtual environments. Install $package (Debian, Ubuntu)." "$package"
    fi
    echo "set-up: making $venv with $("$python" --version 2>&1)."
    "$python" -m venv --clear "$venv"
}

install_requirements() {
    echo "set-up: installing the packages of requirements.txt (some minutes; only when it has changed)."
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r requirements.txt </dev/null ||
        fail "the packages could not be installed. The first set-up needs the network; start again once it is there."
    cp requirements.txt "$stamp"
}

install_java() {
    message=$("$venv/bin/python" -m fraudstream.runtime.java 2>&1 >/dev/null) && return
    install_or_say "$message" openjdk-17-jre-headless default-jre-headless
    message=$("$venv/bin/python" -m fraudstream.runtime.java 2>&1 >/dev/null) || fail "$message"
}

"$venv/bin/python" -c "$supported" 2>/dev/null || make_venv
cmp -s requirements.txt "$stamp" || install_requirements
install_java
