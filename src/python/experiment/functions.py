"""The five functions of an experiment: what they must look like, how they are loaded, and what they are given.

`get_dataset_features`, `encode_data`, `load_model` and `ordered_model_input_keys` are known by name from the pipeline
that this one follows; `reconcile`, and the signatures of all five, are ours.
"""

import ast
import hashlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import libraries
from experiment.errors import ExperimentError, FunctionWrong
from experiment.settings import Problem, Settings

FILE = "src/user_defined_funcs.py"
SIGNATURES = {
    "reconcile": ("config",),
    "get_dataset_features": ("config",),
    "encode_data": ("batch", "config"),
    "load_model": ("config", "model_name", "num_labels", "id2label"),
    "ordered_model_input_keys": ("config",),
}
NEEDED = {
    "reconciliation": ("reconcile",),
    "preparation": ("get_dataset_features", "encode_data"),
    "training": ("load_model", "ordered_model_input_keys"),
    "tuning": ("load_model", "ordered_model_input_keys"),
    "inference": ("load_model", "ordered_model_input_keys"),
}
"""Which functions a step calls."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Config:
    """What the functions are told of the experiment."""

    settings: Settings
    run: int = 0
    model_name: str = ""
    """The model that a step is about; "" in the reconciliation."""
    model_folder: Path = Path()
    """Its folder on this machine; the same for NAME and NAME:3."""
    layers: int | None = None
    """How many of its layers are taken; None: all."""
    labels: tuple[str, ...] = ()
    """The labels in the order of their ids; () in the reconciliation."""
    connection: Any = None
    """A DB-API connection to the namespace, where there is one; in the reconciliation alone."""
    check: Callable[[], None] = field(default=lambda: None, repr=False)
    """Raises `Cancelled` when the run is to stop: call it in long loops."""

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self.settings.name

    @property
    def use_case(self) -> str:
        """What it is about."""
        return str(self.settings.get("experiment.USE_CASE"))

    @property
    def seed(self) -> int:
        """Of every draw."""
        return int(self.settings.get("experiment.SEED"))

    @property
    def user(self) -> dict[str, str]:
        """The section [user] of the settings."""
        return self.settings.section("user")

    def __getitem__(self, full: str) -> Any:
        """The value of a setting: config["text.MAX_TOKENS"]."""
        return self.settings.get(full)

    def of(self, **changes: Any) -> "Config":
        """The same with some things changed."""
        return replace(self, **changes)


class Functions:
    """The functions of one file, loaded under a name of their own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        content = file.read_bytes()
        # By content: two runs whose functions differ may be in the same process.
        name = f"experiment_functions_{hashlib.sha256(content).hexdigest()[:16]}"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None  # noqa: S101 - a .py file has both
        self._module = importlib.util.module_from_spec(spec)
        sys.modules[name] = self._module
        with self._asked("the file itself"):
            # No bytecode beside it: the folder is what people look at and what is copied.
            exec(compile(content, str(file), "exec"), self._module.__dict__)  # noqa: S102

    def reconcile(self, config: Config) -> Iterator[Mapping[str, Any]]:
        """The raw records, one at a time."""
        with self._asked("reconcile"):
            found: Iterable[Any] = self._module.reconcile(config)
            if not isinstance(found, Iterable):
                raise FunctionWrong(
                    f"reconcile returned {_kind(found)}: let it return or yield records, each "
                    '{"id": ..., "text": ..., "label": ...}.'
                )
            yield from found

    def get_dataset_features(self, config: Config) -> Any:
        """The schema of the encoded rows, a `datasets.Features`."""
        with libraries.lock:
            import datasets

        with self._asked("get_dataset_features"):
            features = self._module.get_dataset_features(config)
        if not isinstance(features, datasets.Features) or "labels" not in features:
            raise FunctionWrong(
                f"get_dataset_features returned {_kind(features)}: let it return a datasets.Features with 'labels'."
            )
        return features

    def encode_data(self, batch: dict[str, list[Any]], config: Config) -> dict[str, list[Any]]:
        """The encoded rows of a batch of records, as columns."""
        with self._asked("encode_data"):
            encoded = self._module.encode_data(batch, config)
        if not isinstance(encoded, Mapping):
            raise FunctionWrong(f"encode_data returned {_kind(encoded)}: let it return columns, a dict of lists.")
        return {name: list(values) for name, values in encoded.items()}

    def load_model(self, config: Config) -> Any:
        """A new model of this name for these labels, a `torch.nn.Module`."""
        import torch

        names = dict(enumerate(config.labels))
        with self._asked("load_model"):
            model = self._module.load_model(config, config.model_name, len(names), names)
        if not isinstance(model, torch.nn.Module):
            raise FunctionWrong(f"load_model returned {_kind(model)}: let it return a torch.nn.Module.")
        return model

    def ordered_model_input_keys(self, config: Config) -> list[str]:
        """The keys of a batch in the order in which the model's `forward` takes them."""
        with self._asked("ordered_model_input_keys"):
            keys = self._module.ordered_model_input_keys(config)
        if isinstance(keys, str) or not isinstance(keys, Iterable) or not (named := list(keys)):
            raise FunctionWrong(
                "ordered_model_input_keys gave no names: let it return a list of them, as ['input_ids', "
                "'attention_mask']."
            )
        return [str(key) for key in named]

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        """What a user's function raises becomes an error that says where: it is their code, and may raise anything."""
        try:
            yield
        except ExperimentError:
            raise
        except Exception as error:
            raise FunctionWrong(
                f"{what} raised {type(error).__name__}: {error}{_where(error, self.file)}. Correct it in {FILE}."
            ) from error


def check(file: Path, steps: Iterable[str]) -> list[Problem]:
    """What is wrong with the functions that these steps need, found without running anything."""
    try:
        tree = ast.parse(file.read_bytes())
    except FileNotFoundError:
        return [Problem(0, "", f"{FILE} is missing: evergreen experiment new writes one.")]
    except SyntaxError as error:
        return [Problem(0, "", f"{FILE}:{error.lineno}: {error.msg}: correct this line.")]
    except ValueError as error:  # a NUL byte, or no UTF-8
        return [Problem(0, "", f"{FILE} is no Python: {error}. Save it as UTF-8 text.")]
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    needed = dict.fromkeys(name for step in steps for name in NEEDED[step])
    return [problem for name in needed for problem in _check(name, found.get(name), found)]


def code_hash(file: Path, step: str) -> str:
    """sha256 of the code that a step depends on: its functions, and all that is in the file beside the five.

    Comments, docstrings and white space do not count.
    """
    kept = [
        node
        for node in ast.parse(file.read_bytes()).body
        if getattr(node, "name", "") not in SIGNATURES or getattr(node, "name", "") in NEEDED[step]
    ]
    texts = [ast.dump(_without_docstrings(node)) for node in kept]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _check(name: str, node: _Function | None, found: Mapping[str, _Function]) -> Iterator[Problem]:
    signature = f"def {name}({', '.join(SIGNATURES[name])})"
    if node is None:
        import difflib

        near = difflib.get_close_matches(name, [one for one in found if one not in SIGNATURES], n=1, cutoff=0.7)
        meant = f" Is it {near[0]}? Rename that." if near else f" Write it: {signature}."
        yield Problem(0, "", f"{FILE} has no function {name}, which a step that is switched on needs.{meant}")
        return
    place = f"{FILE}:{node.lineno}: {name}"
    if isinstance(node, ast.AsyncFunctionDef):
        yield Problem(0, "", f"{place} is async: write it as {signature}.")
    if _is_bare(node):
        yield Problem(0, "", f"{place} does nothing (pass): write it, or switch off the steps that need it.")
    arguments = node.args
    given = [one.arg for one in [*arguments.posonlyargs, *arguments.args]]
    required = len(given) - len(arguments.defaults)
    wanted = len(SIGNATURES[name])
    by_name = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    left_over = [one.arg for one, default in by_name if default is None]
    if left_over or required > wanted or (len(given) < wanted and arguments.vararg is None):
        yield Problem(0, "", f"{place} takes ({', '.join([*given, *left_over])}): write it as {signature}.")


def _is_bare(node: _Function) -> bool:
    """Whether there is nothing in it but a docstring, `pass`, `...` or `raise NotImplementedError`."""
    body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return all(
        isinstance(one, ast.Pass) or (isinstance(one, ast.Raise) and "NotImplemented" in ast.dump(one)) for one in body
    )


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def _where(error: BaseException, file: Path) -> str:
    trace: types.TracebackType | None = error.__traceback__
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
