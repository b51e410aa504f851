"""module.xml: what `zpm "install evergreen"` will look for is there."""

import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import iop

from deploy.images import CLASSES, ROOT, class_name, methods

MODULE = ElementTree.parse(ROOT / "module.xml").getroot().find("Document/Module")
INVOKES = MODULE.findall("Invoke")


def test_name_and_version_are_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert MODULE.findtext("Name") == project["name"]
    assert MODULE.findtext("Version") == project["version"]
    assert MODULE.find("SystemRequirements").get("Interoperability") == "enabled"


def test_every_class_is_a_resource_and_every_resource_a_class() -> None:
    assert MODULE.findtext("SourcesRoot") == "src/iris"
    names = {resource.get("Name").removesuffix(".CLS") for resource in MODULE.findall("Resource")}
    assert names == {class_name(file) for file in CLASSES}


def test_the_classes_of_iop_come_first_and_then_ours_are_set_up() -> None:
    steps = [(each.get("Class"), each.get("Method"), each.get("Phase"), each.get("When")) for each in INVOKES]
    assert steps == [
        ("%SYSTEM.OBJ", "LoadDir", "Compile", "Before"),
        ("%SYSTEM.OBJ", "Compile", "Compile", "Before"),
        ("Evergreen.Setup", "Install", "Activate", "After"),
    ]
    folder = Path(iop.__file__).parent / "cls"
    assert INVOKES[0].findtext("Arg") == "${mgrdir}python/iop/cls"
    assert (folder / "IOP/Message.cls").is_file(), "where pip puts them"
    known = {(class_name(file), name): arguments for file in CLASSES for name, arguments, *_ in methods(file)}
    arguments = known["Evergreen.Setup", "Install"]
    assert len(arguments.split(",")) == len(INVOKES[2].findall("Arg"))


def test_files_are_copied_to_the_folder_that_install_is_given() -> None:
    root = INVOKES[2].findtext("Arg")
    copies = {copy.get("Name"): copy.get("Target") for copy in MODULE.findall("FileCopy")}
    assert {"src/python/", "misc/", "requirements.lock"} == set(copies)
    assert all((ROOT / name).exists() for name in copies)
    assert all(target == f"{root}/{name}" for name, target in copies.items())


def test_the_packages_are_those_of_the_lock_file() -> None:
    assert (ROOT / "requirements.txt").read_text().splitlines()[-1] == "-r requirements.lock"
