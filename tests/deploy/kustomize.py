"""What `kubectl kustomize` makes of a folder, as far as this project's folders need it; a test compares the two."""

import copy
import re
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
# Kinds that belong to no namespace, of those that are used here.
CLUSTERED = {"Namespace"}
_KNOWN = {"apiVersion", "kind", "namespace", "labels", "resources", "components", "patches", "images"}


def render(folder: Path) -> list[Manifest]:
    """The manifests of a folder with a kustomization.yaml."""
    return _built(folder, [])


def _built(folder: Path, so_far: list[Manifest]) -> list[Manifest]:
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(wanted) <= _KNOWN, f"{folder}: this loader does not know {set(wanted) - _KNOWN}"
    found = so_far
    for name in wanted.get("resources", ()):
        path = (folder / name).resolve()
        if path.is_dir():
            found = found + _built(path, [])
        else:
            assert path.is_relative_to(folder.resolve()), f"{folder}: kustomize reads nothing outside ({name})"
            found = found + [one for one in yaml.safe_load_all(path.read_text()) if one]
    for name in wanted.get("components", ()):
        found = _built((folder / name).resolve(), found)
    for patch in wanted.get("patches", ()):
        target, operations = patch["target"], yaml.safe_load(patch["patch"])
        hit = [one for one in found if one["kind"] == target["kind"] and re.fullmatch(target["name"], _name(one))]
        assert hit, f"{folder}: {target} is nowhere"
        for one in hit:
            for operation in operations:
                _change(one, operation)
    for one in found:
        if "namespace" in wanted and one["kind"] not in CLUSTERED:
            one["metadata"]["namespace"] = wanted["namespace"]
        for labels in wanted.get("labels", ()):
            _label(one, labels)
        for container in containers(one):
            for image in wanted.get("images", ()):
                _rename(container, image)
    return found


def pod_of(manifest: Manifest) -> Manifest:
    """The template of the pods that a manifest makes; {} if it makes none."""
    if manifest["kind"] == "Pod":
        return manifest
    found: Manifest = manifest.get("spec", {}).get("template", {})
    return found


def containers(manifest: Manifest) -> list[Manifest]:
    """The containers of a manifest's pods."""
    spec = pod_of(manifest).get("spec", {})
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def _name(manifest: Manifest) -> str:
    name: str = manifest["metadata"]["name"]
    return name


def _label(manifest: Manifest, labels: Manifest) -> None:
    assert set(labels) <= {"pairs", "includeTemplates"}
    manifest["metadata"].setdefault("labels", {}).update(labels["pairs"])
    if labels.get("includeTemplates"):
        if template := pod_of(manifest):
            template["metadata"].setdefault("labels", {}).update(labels["pairs"])
        for claim in manifest.get("spec", {}).get("volumeClaimTemplates", ()):
            claim["metadata"].setdefault("labels", {}).update(labels["pairs"])


def _rename(container: Manifest, image: Manifest) -> None:
    name, _, _tag = container["image"].partition(":")
    if name == image["name"]:
        container["image"] = f"{image.get('newName', name)}:{image['newTag']}"


def _change(manifest: Manifest, operation: Manifest) -> None:
    """A JSON patch's operation (RFC 6902), of those that are used."""
    *way, last = operation["path"].strip("/").split("/")
    place: Any = manifest
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if operation["op"] == "remove":
        del place[last]
    else:
        assert operation["op"] in ("add", "replace") and isinstance(place, dict)
        assert operation["op"] == "add" or last in place, operation["path"]
        place[last] = copy.deepcopy(operation["value"])
