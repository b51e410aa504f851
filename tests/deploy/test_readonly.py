"""irislite as its container runs it: the files of Dockerfile.irislite, no rights, a file system to read from.

No Docker is needed: a mount namespace of Linux, chroot and setpriv are what a container is made of.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from acceptance.running import free_port
from deploy.images import ROOT, compose, instructions, variables

PROGRAMS = all(map(shutil.which, ("unshare", "chroot", "setpriv", "mount")))
ALLOWED = PROGRAMS and os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"]).returncode == 0
pytestmark = pytest.mark.skipif(not ALLOWED, reason="needs root and mount namespaces, as a container's engine does")

SYSTEM = [path for path in ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev") if Path(path).is_dir()]

SERVICE = compose("docker-compose.irislite.yml")["services"]["irislite"]
VOLUMES = [volume.split(":/")[1] for volume in SERVICE["volumes"]]


class Container:
    """One run of the image's last stage."""

    def __init__(self, folder: Path) -> None:
        self.root, self.port, self.log = folder / "root", free_port(), folder / "log"
        self.environment = variables("Dockerfile.irislite") | {
            "PATH": f"{sys.prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": "/irisdev/app/src/python",
            "PORT": str(self.port),
            "EVERGREEN_DEMO": "0",
            "HF_HUB_OFFLINE": "1",
        }
        for source in ("src/python", "misc"):
            ignored = shutil.ignore_patterns("__pycache__", ".irislite", "*.egg-info")
            shutil.copytree(ROOT / source, self.root / "irisdev/app" / source, ignore=ignored)
        (self.root / "tmp").mkdir()
        for volume in VOLUMES:
            (self.root / volume).mkdir()
            os.chown(self.root / volume, 10001, 10001)

    def start(self) -> None:
        """Mount and start; the process is the production's own."""
        root, system = self.root, sorted({*SYSTEM, sys.prefix, sys.base_prefix})
        lines = [f"mount --bind {root} {root}"]
        lines += [f"mount --bind {root}/{volume} {root}/{volume}" for volume in VOLUMES]
        lines += [f"mkdir -p {root}{path} && mount --rbind {path} {root}{path}" for path in system]
        lines += [f"mount -o remount,ro,bind {root}", f"mount -t tmpfs tmpfs {root}/tmp"]
        rights = "--reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all"
        lines += [f"exec chroot {root} setpriv {rights} {sys.executable} -m evergreen run"]
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-euc", "\n".join(lines)],
            env=self.environment,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 120
        while "Stop      Ctrl-C" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def call(self, method: str, path: str, fields: dict) -> requests.Response:
        password = (self.root / "data/irislite/password").read_text().strip()
        address = f"http://localhost:{self.port}{path}"
        answer = requests.request(method, address, json=fields, auth=("SuperUser", password), timeout=120)
        assert answer.ok, answer.text
        return answer

    def ask(self, target: str, classname: str, body: dict) -> dict:
        fields = {"target": target, "classname": classname, "body": body, "restart": False}
        return json.loads(self.call("POST", "/api/iop/test", fields).json()["body"])


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("container")
    for path in (folder, *folder.parents):  # pytest's folders are for their owner alone
        if path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
            path.chmod(0o711)
    container = Container(folder)
    container.start()
    yield container
    container.process.kill()
    container.process.wait()


def test_the_production_answers(container: Container) -> None:
    # torch: what a faster backend is made of would take its time, and is tested elsewhere.
    lines = "name=all-MiniLM-L6-v2\ntask=text-classification\nnum_labels=5\nbackend=torch"
    settings = {"settings": [{"target": "Host", "name": "%settings", "value": lines}]}
    container.call("PUT", "/api/irislite/items/Python.MLOperation/settings", settings)
    answer = container.ask("Python.MLOperation", "msg.MLRequest", {"inputs": "This was a really bad experience"})
    assert answer["output"][0]["label"]


def test_the_health_check_of_the_image_finds_it(container: Container) -> None:
    check = next(each.text for each in instructions("Dockerfile.irislite") if each.name == "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    command = [sys.executable, *(part.replace("52795", str(container.port)) for part in command[1:])]
    assert subprocess.run(command).returncode == 0


def test_it_has_no_rights_and_a_root_it_cannot_write_to(container: Container) -> None:
    status = Path(f"/proc/{container.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["10001"] * 4
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    root = Path(f"/proc/{container.process.pid}", "root")  # as the process itself sees it
    with pytest.raises(OSError, match="Read-only file system"):
        (root / "irisdev/app/probe").write_text("")


def test_it_wrote_to_its_volumes_alone_and_missed_nothing(container: Container) -> None:
    assert {"irislite"} <= {path.name for path in (container.root / "data").iterdir()}
    assert (container.root / "irisdev/app/src/model/all-MiniLM-L6-v2").is_dir()
    words = container.log.read_text()
    assert "Read-only" not in words
    assert "Permission denied" not in words


def test_it_stops_cleanly_at_the_signal_of_the_image(container: Container) -> None:
    name = next(each.text for each in instructions("Dockerfile.irislite") if each.name == "STOPSIGNAL")
    container.process.send_signal(getattr(signal, name))
    assert container.process.wait(60) == 0
