"""The dev container: the image's user and Python, one forwarded port, no secrets."""

import json
import re

from fraudstream.settings import PROJECT

FOLDER = PROJECT / ".devcontainer"
CONTAINER = json.loads((FOLDER / "devcontainer.json").read_text())


def test_it_is_built_from_the_image_of_docker_compose():
    assert (FOLDER / CONTAINER["build"]["dockerfile"]).resolve() == PROJECT / "Dockerfile"
    assert (FOLDER / CONTAINER["build"]["context"]).resolve() == PROJECT


def test_its_user_is_the_image_s_and_not_root():
    user = re.search(r"^USER (\w+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE).group(1)
    assert CONTAINER["remoteUser"] == user != "root"


def test_only_jupyterlab_s_port_is_forwarded():
    assert CONTAINER["forwardPorts"] == [8888]
    assert CONTAINER["otherPortsAttributes"] == {"onAutoForward": "ignore"}


def test_it_sets_no_environment_and_mounts_nothing_of_the_host():
    assert set(CONTAINER).isdisjoint({"containerEnv", "remoteEnv", "mounts", "runArgs", "secrets", "privileged"})
