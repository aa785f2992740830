"""Clusters of local processes on 127.0.0.1: three Kafka brokers; a Spark master with two workers."""

import base64
import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from kafka import KafkaAdminClient

from fraudstream.kafka import probe
from fraudstream.kafka.broker import config
from fraudstream.kafka.broker.server import QUICK
from fraudstream.runtime.jars import jars
from fraudstream.runtime.java import java
from fraudstream.settings import load_settings

HOST = "127.0.0.1"
START_LIMIT_S = 60

BROKER = """\
process.roles=broker,controller
controller.listener.names=CONTROLLER
log.dirs=data
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
"""

# every message is on three brokers, and acknowledged when it is on two; a dead broker is noticed in 3 s
CLUSTER = """\
num.partitions=3
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class Processes:
    """Programs in their own process groups, so that each can be killed with its children."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen] = {}

    def start(self, name: str, command: list[str], **environment: str) -> None:
        """Starts a program in its own folder; its output goes to ``<name>.log``."""
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.log").open("w") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.folder / name,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL for the program and everything that it has started."""
        process = self.running.pop(name)
        assert process.poll() is None, f"{name} has ended before it was killed: {self.log(name)}"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        """Kill all that still run."""
        for name in list(self.running):
            if self.running[name].poll() is None:
                self.kill(name)

    def wait_until(self, what: str, happened: Callable[[], bool]) -> None:
        """Wait for ``happened``; fails with the end of the logs."""
        logs = "\n".join(f"{name}: {self.log(name)}" for name in self.running)
        assert probe.wait_for(happened, START_LIMIT_S, lambda waited: None), f"Not in {START_LIMIT_S} s: {what}. {logs}"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]


def new_cluster_id() -> str:
    """A random one as Kafka writes it, never with a dash at its beginning."""
    return "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def start_broker(processes: Processes, name: str, properties: str, cluster_id: str) -> None:
    """Format the storage of a broker and start it; it may not answer yet."""
    folder = processes.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.properties").write_text(BROKER + properties)
    program = [str(java()), *QUICK, "-Xmx256m", "-cp", f"{jars('broker', load_settings().jars_dir)[0].parent}/*"]
    tool = [*program, "kafka.tools.StorageTool", "format", "--config=server.properties"]
    subprocess.run([*tool, f"--cluster-id={cluster_id}"], cwd=folder, check=True, capture_output=True)
    processes.start(name, [*program, "kafka.Kafka", "server.properties"])


def start_kafka(processes: Processes) -> str:
    """kafka-1 to kafka-3, each a broker and a controller; their addresses once all three answer."""
    taken: set[int] = set()
    for _ in range(6):
        taken.add(config.free_port(frozenset(taken)))
    ports, controllers = sorted(taken)[:3], sorted(taken)[3:]
    voters = ",".join(f"{node}@{HOST}:{port}" for node, port in enumerate(controllers, start=1))
    cluster_id = new_cluster_id()
    for node, (port, controller) in enumerate(zip(ports, controllers, strict=True), start=1):
        addresses = (
            f"node.id={node}\ncontroller.quorum.voters={voters}\nadvertised.listeners=PLAINTEXT://{HOST}:{port}\n"
            f"listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}\n"
        )
        start_broker(processes, f"kafka-{node}", CLUSTER + addresses, cluster_id)
    address = ",".join(f"{HOST}:{port}" for port in ports)
    processes.wait_until("three brokers answer", lambda: _brokers(address) == 3)
    return address


def _brokers(address: str) -> int:
    if probe.cluster_id(address) is None:
        return 0
    with probe.quiet_kafka(), KafkaAdminClient(bootstrap_servers=address.split(",")) as admin:
        return sum(not broker.get("is_fenced") for broker in admin.describe_cluster()["brokers"])


def start_spark(processes: Processes) -> str:
    """Starts a standalone master and two workers of two cores each; its address, once both have registered."""
    home = Path(find_spec("pyspark").origin).parent
    port, web, *others = (config.free_port(frozenset()) for _ in range(4))
    environment = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": " ".join(QUICK),
        "JDK_JAVA_OPTIONS": " ".join(QUICK),  # the executors, too
    }
    start = [str(home / "bin" / "spark-class"), "org.apache.spark.deploy"]
    master = [start[0], f"{start[1]}.master.Master", "--host", HOST, "--port", str(port), "--webui-port", str(web)]
    processes.start("master", master, **environment)
    address = f"spark://{HOST}:{port}"
    for number, web_port in enumerate(others, start=1):
        size = ["--host", HOST, "--cores", "2", "--memory", "1g", "--webui-port", str(web_port), "--work-dir", "work"]
        processes.start(f"worker-{number}", [start[0], f"{start[1]}.worker.Worker", *size, address], **environment)
    for number in (1, 2):
        processes.wait_until(
            "both workers are registered",
            lambda number=number: "Successfully registered with master" in processes.log(f"worker-{number}"),
        )
    return address
