#!/bin/sh
# Everything that make needs, from a fresh clone: .venv, the locked requirements, Java. What is there already is left
# alone, so that later calls need no network. PYTHON names the Python that .venv is made with (default: python3).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=.venv
stamp=$venv/installed.txt # the locks as they were when they were installed

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

version='import sys; print("%d.%d" % sys.version_info[:2])'
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

# A named Python that .venv does not have: refused, as .venv may hold more than the project's packages
same_python() {
    [ "$python" != python3 ] || return 0
    named=$("$python" -c "$version" 2>/dev/null) || return 0
    has=$("$venv/bin/python" -c "$version")
    [ "$named" = "$has" ] ||
        fail "$venv has Python $has, and PYTHON=$python is Python $named. Remove $venv (rm -r $venv), then start again."
}

locks() {
    cat requirements.txt requirements-tests.txt
}

# locked_only PACKAGE LOCK: the lines of one package
locked_only() {
    sed -n "/^$1==/,/[^\\\\]\$/p" "$2"
}

# uv installs the same packages with the same hashes in a quarter of pip's time: the one on the PATH, else .venv's
find_uv() {
    if uv --version >/dev/null 2>&1; then
        echo uv
        return
    fi
    if [ ! -x "$venv/bin/uv" ]; then
        locked_only uv requirements-tests.txt >"$venv/uv.txt"
        pip_install --retries 1 --only-binary :all: -r "$venv/uv.txt" >/dev/null 2>&1 || return
    fi
    echo "$venv/bin/uv"
}

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes "$@" </dev/null
}

# Both hold the packages' build steps to the lock, too: pyspark and kafka-python3 are built, with setuptools
install_with_uv() {
    "$1" pip install --python "$venv/bin/python" --require-hashes --build-constraints requirements.txt \
        -r requirements.txt -r requirements-tests.txt </dev/null
}

install_with_pip() {
    locked_only setuptools requirements.txt >"$venv/setuptools.txt"
    pip_install -r "$venv/setuptools.txt" &&
        pip_install --no-build-isolation --use-pep517 -r requirements.txt -r requirements-tests.txt
}

install_requirements() {
    rm -f "$stamp" # what is interrupted halfway is not installed
    if uv=$(find_uv); then
        echo "set-up: installing the packages of requirements.txt with uv, once (about a minute)."
        if install_with_uv "$uv"; then
            locks >"$stamp"
            return
        fi
        echo "set-up: uv could not install them; pip tries, with its own settings (some minutes)."
    else
        echo "set-up: installing the packages of requirements.txt with pip, once (some minutes)."
    fi
    install_with_pip ||
        fail "the packages could not be installed, see above. The first set-up needs the network; start again once it is there."
    locks >"$stamp"
}

install_java() {
    message=$("$venv/bin/python" -m fraudstream.runtime.java 2>&1 >/dev/null) && return
    install_or_say "$message" openjdk-17-jre-headless default-jre-headless
    message=$("$venv/bin/python" -m fraudstream.runtime.java 2>&1 >/dev/null) || fail "$message"
}

if "$venv/bin/python" -c "$supported" 2>/dev/null; then same_python; else make_venv; fi
locks | cmp -s - "$stamp" || install_requirements
install_java
