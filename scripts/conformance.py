"""Run iop's own tests and demos on irislite, and print what passes: `python scripts/conformance.py CHECKOUT`.

CHECKOUT is a clone of iop's repository (grongierisc/interoperability-embedded-python) at the release that is
installed. Its tests are run from a temporary copy: nothing of it is kept or changed. It needs, beside the test
requirements, python-dotenv (iop's remote tests read it) and pytest-asyncio (one of its local tests).
Exit status 1 if a test or demo does not pass for a reason that is not listed in docs/conformance.md.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demos import DEMOS

ROOT = Path(__file__).resolve().parent.parent
NEEDED = {"python-dotenv": "dotenv", "pytest-asyncio": "pytest_asyncio"}  # packages of iop's tests, and their modules
PRODUCTION = '''
from iop import BusinessOperation, Production


class Echo(BusinessOperation):
    """Answers with what it is asked."""

    def on_message(self, request):
        return request


production = Production("Conformance.Production", testing_enabled=True)
production.operation("Echo", Echo)
PRODUCTIONS = [production]
'''
DTL = "transformations (DTL) and their access to a message's fields are ObjectScript"
# Why a local test cannot pass: a part of its name -> the reason, as docs/conformance.md gives it.
REASONS = {
    "test_dtl.TestMessageOperations": DTL,
    "test_dtl.TestTransformations": DTL,
    "test_dtl.TestEnumSchemaHandling": DTL,
    "test_bench": "half of its production is ObjectScript, and it sends PersistentMessage",
    "test_persistent_message": "PersistentMessage needs IRIS to generate a class and a table",
    "test_get_iris_id": "a body is stored when it is sent; it cannot be saved alone",
    "test_is_iris_object_instance": "asks for Ens.Job, a class of IRIS that is no message",
    "test_component_stop_dispatches_teardown": "irislite starts services without an adapter too, so that errors show",
}


@dataclass
class Result:
    """What came of a suite: how many passed, and for each that did not the test and the reason."""

    name: str
    passed: int = 0
    others: dict[str, str] = field(default_factory=dict)

    @property
    def unexplained(self) -> list[str]:
        """The tests that should have passed."""
        return [name for name, reason in self.others.items() if not reason]


def main(arguments: list[str] | None = None) -> int:
    """Run everything and print a table, then what did not pass."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", type=Path, help="a clone of iop's repository")
    options = parser.parse_args(arguments)
    if not (options.checkout / "src" / "tests" / "e2e").is_dir():
        parser.error(f"{options.checkout} is no clone of iop's repository: it has no src/tests/e2e.")
    missing = [package for package, module in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        parser.error(f"iop's tests need {' and '.join(missing)}: `pip install {' '.join(missing)}` first.")
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        copy = Path(folder) / "iop"
        for part in ("src/tests", "demo/python"):
            shutil.copytree(options.checkout / part, copy / part)
        shutil.copy(options.checkout / "pyproject.toml", copy)
        results = [remote(copy, Path(folder)), local(copy), *demos(copy)]
    show(results)
    return 1 if any(result.unexplained for result in results) else 0


def remote(copy: Path, folder: Path) -> Result:
    """iop's tests of the REST service and of the command line's remote side."""
    with serving(folder) as environment:
        return tests("remote", copy, "src/tests/e2e/remote", environment, [])


def local(copy: Path) -> Result:
    """iop's tests that run inside IRIS, in a process where irislite is IRIS."""
    result = tests("local", copy, "src/tests/e2e/local", {}, ["-p", "bound"])
    for name in result.others:
        result.others[name] = next((reason for part, reason in REASONS.items() if part in name), "")
    return result


def demos(copy: Path) -> Iterator[Result]:
    """The demo productions, each in a process of its own."""
    for name in DEMOS:
        command = [sys.executable, str(ROOT / "scripts" / "demos.py"), name, str(copy / "demo" / "python")]
        done = subprocess.run(command, env=environment_of({}), capture_output=True, text=True, timeout=300)
        failed = {done.stderr.strip().rpartition("\n")[2] or "it ended with an error": ""} if done.returncode else {}
        yield Result(f"demo {name}", int(not failed), failed)


def tests(name: str, copy: Path, path: str, environment: dict[str, str], options: list[str]) -> Result:
    """Run a folder of tests; a skipped one has not passed."""
    report = copy.parent / f"{name}.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", path, "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *options],
        cwd=copy, env=environment_of(environment), stdout=subprocess.DEVNULL, timeout=600, check=False,
    )  # fmt: skip
    result = Result(name)
    for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
        if len([part for part in case if part.tag in ("failure", "error", "skipped")]):
            result.others[f"{case.get('classname', '').removeprefix('src.tests.e2e.')}.{case.get('name')}"] = ""
        else:
            result.passed += 1
    return result


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """A running irislite with a small production; yields the variables with which `iop` finds it."""
    settings = folder / "conformance_settings.py"
    settings.write_text(PRODUCTION)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    account = {"IRISUSERNAME": "SuperUser", "IRISPASSWORD": "conformance", "PORT": str(port)}
    command = [sys.executable, "-m", "irislite.cli", "run", str(settings)]
    process = subprocess.Popen(command, env=environment_of(account), stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/healthz", process)
        yield {"IOP_URL": url, "IOP_USERNAME": "SuperUser", "IOP_PASSWORD": "conformance", "IOP_NAMESPACE": "IRISAPP"}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the server answers."""
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url):  # noqa: S310 - our own server
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("irislite did not start: run `irislite run` with a small production to see why.")


def environment_of(more: dict[str, str]) -> dict[str, str]:
    """This process's variables without those of `iop`, with our modules on the path."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("IOP_", "IRISLITE_"))}
    path = os.pathsep.join([str(ROOT / "src" / "python"), str(ROOT / "scripts"), kept.get("PYTHONPATH", "")])
    return {**kept, **more, "PYTHONPATH": path.strip(os.pathsep), "PYTHONDONTWRITEBYTECODE": "1"}


def show(results: list[Result]) -> None:
    """The table of docs/conformance.md, and the tests behind it."""
    print(f"iop {importlib.metadata.version('iris-pex-embedded-python')}, Python {sys.version.split()[0]}\n")
    print("| what | passed | not passed |\n|---|---|---|")
    for result in results:
        print(f"| {result.name} | {result.passed} | {len(result.others)} |")
    for result in results:
        for reason, count in Counter(result.others.values()).items():
            print(f"\n{result.name}, {count}: {reason or 'NOT EXPLAINED'}")
            print("\n".join(f"  {name}" for name, why in result.others.items() if why == reason))


if __name__ == "__main__":
    raise SystemExit(main())
