"""The compose files: their schema, and that they fit the images."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.images import COMPOSE, OVERLAY, ROOT, compose, instructions, variables


@pytest.mark.parametrize("file", [*COMPOSE, OVERLAY])
def test_the_schema_holds(file: str) -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", ROOT / file]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", COMPOSE)
def test_volumes_are_declared_used_and_where_the_images_expect_them(file: str) -> None:
    content = compose(file)
    mounts = {
        volume.split(":")[0]: volume.split(":")[1]
        for service in content["services"].values()
        for volume in service.get("volumes", [])
    }
    assert set(mounts) == set(content["volumes"])
    assert mounts["models"] == "/irisdev/app/src/model"
    image = (ROOT / ("Dockerfile" if "iris" in content["services"] else "Dockerfile.irislite")).read_text()
    for service in content["services"].values():
        if "build" in service:
            paths = [volume.split(":")[1] for volume in service["volumes"]]
            assert [path for path in paths if path not in image] == [], (
                "a volume takes its owner from the image's folder"
            )
    values = variables("Dockerfile" if "iris" in content["services"] else "Dockerfile.irislite")
    assert mounts["data"] == values["EVERGREEN_DATA"]
    if "iris" in mounts:
        assert values["ISC_DATA_DIRECTORY"].startswith(mounts["iris"] + "/")
    else:
        assert values["IRISLITE_HOME"].startswith(mounts["data"] + "/")
        assert values["HOME"] == mounts["data"]


@pytest.mark.parametrize("file", COMPOSE)
def test_the_portal_is_where_users_know_it_and_for_this_machine_alone(file: str) -> None:
    content = compose(file)
    name, service = next(iter(content["services"].items()))
    port = next(
        each.text
        for each in instructions(f"Dockerfile{'' if name == 'iris' else '.irislite'}")
        if each.name == "EXPOSE"
    )
    assert service["ports"] == ["${BIND:-127.0.0.1}:${PORT:-52795}:" + port]
    others = [each for key, each in content["services"].items() if key != name]
    assert [each["ports"] for each in others if "ports" in each] == [], "what is beside it is for it alone"


@pytest.mark.parametrize("file", [*COMPOSE, OVERLAY])
def test_no_secret_has_a_value(file: str) -> None:
    for service in compose(file)["services"].values():
        for entry in service.get("environment", []):
            name, sign, _ = entry.partition("=")
            assert not sign or not any(word in name for word in ("PASSWORD", "TOKEN", "KEY")), entry


def test_one_command_starts_iris_alone_and_profiles_what_is_beside_it() -> None:
    services = compose("docker-compose.yml")["services"]
    assert {name: service.get("profiles") for name, service in services.items()} == {
        "iris": None,
        "redis": ["redis"],
        "milvus": ["milvus"],
    }
    used = {entry["source"] for service in services.values() for entry in service.get("configs", [])}
    assert used == set(compose("docker-compose.yml")["configs"])
    assert all("healthcheck" in services[name] for name in ("redis", "milvus"))


def test_the_gpu_is_laid_over_the_same_service() -> None:
    service = compose(OVERLAY)["services"]["iris"]
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    argument = service["build"]["args"][0].partition("=")
    assert argument[0] == "TORCH_INDEX"
    assert any(each.name == "ARG" and each.text.startswith("TORCH_INDEX=") for each in instructions("Dockerfile"))
    assert "cpu" not in json.dumps(service)


def test_irislite_can_write_to_its_volumes_alone() -> None:
    service = compose("docker-compose.irislite.yml")["services"]["irislite"]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
