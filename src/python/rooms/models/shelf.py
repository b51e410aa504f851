"""What is in the folder of models, and which items of the production use it."""

from dataclasses import dataclass

import paths
from inference import catalog
from irislite.director import Director
from irislite.errors import near
from irislite.views import ItemState
from rooms import items
from rooms.errors import NoSuchModel

_VERSIONS = {"temp-": "candidate", "previous-": "previous", "rolled-back-": "rolled back"}


@dataclass(frozen=True)
class Use:
    """An item that has the model in its settings: it answers with it, or tunes it."""

    item: str
    how: str
    """"answers" or "tunes"."""
    task: str
    state: str

    @property
    def answers(self) -> bool:
        """Whether it takes requests with the model now, or does so as soon as it has loaded it."""
        return self.how == "answers" and self.state in (ItemState.RUNNING, ItemState.STARTING)


@dataclass(frozen=True)
class Shelved:
    """A model folder with its users. `version_of` names the model it is a candidate or predecessor of, as `version`."""

    entry: catalog.Entry
    uses: tuple[Use, ...]
    version: str
    version_of: str


def shelf(director: Director) -> list[Shelved]:
    """The models, by name. Raises `ProductionError` without a production."""
    used = uses(director)
    found = catalog.entries(paths.model_root())
    names = {entry.name for entry in found}
    return [_shelved(entry, used, names) for entry in found]


def find(director: Director, name: str) -> Shelved:
    """One of them. Raises `NoSuchModel`; a name that is none of those that are there touches no file."""
    folders = {path.name for path in paths.model_root().glob("[!.]*") if path.is_dir()}
    if name not in folders:
        raise NoSuchModel(f"There is no model {name!r}.{near(name, folders)} Download it, or correct the name.")
    return _shelved(catalog.entry(paths.model_root() / name), uses(director), folders)


def uses(director: Director) -> dict[str, list[Use]]:
    """The items of the production that name a model of the folder, by the model's name."""
    production = director.productions.production(director.status()["production"])
    states = {view.name: view.state.value for view in director.items()}
    found: dict[str, list[Use]] = {}
    for item in production.items:
        settings = items.settings(item)
        path = settings.get("path", "").strip()
        if path and paths.from_container(path).resolve() != paths.model_root().resolve():
            continue
        for setting, how in (("name", "answers"), ("model_name", "tunes")):
            if model := settings.get(setting, "").strip():
                use = Use(item.name, how, settings.get("task", "").strip(), states.get(item.name, "stopped"))
                found.setdefault(model, []).append(use)
    return found


def _shelved(entry: catalog.Entry, used: dict[str, list[Use]], names: set[str]) -> Shelved:
    for prefix, version in _VERSIONS.items():
        model = entry.name.removeprefix(prefix)
        if model != entry.name and (model in names or model in used):
            return Shelved(entry, tuple(used.get(entry.name, ())), version, model)
    return Shelved(entry, tuple(used.get(entry.name, ())), "", "")
