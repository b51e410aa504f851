"""Download a model into src/model, with progress: `python src/utils/download_bert.py [MODEL] [FOLDER]`."""

import argparse
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from inference import address, download, folder, library
from inference.errors import InferenceError


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="download_bert.py",
        description="Download a model, as an item with model_url does: what it needs, checked, whole or not at all.",
        epilog="The environment variable HF_TOKEN holds the hub's token, HF_ENDPOINT the address of a mirror.",
    )
    parser.add_argument("model", nargs="?", default="bert-base-cased", help="owner/name or any address (%(default)s)")
    parser.add_argument("folder", nargs="?", help="the folder of model folders (src/model)")
    parser.add_argument("--name", help="what the model's folder is called (the last part of the model's name)")
    parser.add_argument("--revision", help="a branch, a tag or a commit (the main branch)")
    parser.add_argument("--update", action="store_true", help="fetch what changed since, if the model is there already")
    parser.add_argument("--allow-pickle", action="store_true", help="turn pickled weights into safetensors if need be")
    return parser


def main(words: list[str] | None = None) -> int:
    """Download as the command line says; the exit status."""
    given = arguments().parse_args(words)
    try:
        wanted = address.chosen(given.model, None, given.revision)
        if wanted is None:
            arguments().error("MODEL is empty. Give owner/name or an address.")
        name = folder.plain(given.name or _name(wanted))
        if given.update:
            target = folder.root(given.folder) / name
            download.bring(wanted, target, allow_pickle=given.allow_pickle, again=True, log=_show)
        else:
            target = library.find(
                name,
                path=given.folder,
                model_url=given.model,
                revision=given.revision,
                allow_pickle=given.allow_pickle,
                log=_show,
            )
    except InferenceError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What arrived is kept: run the command again to go on.", file=sys.stderr)
        return 130
    print(f"{target} is there, whole. Use it with name={target.name} in an item's settings.")
    return 0


def _name(wanted: address.Address) -> str:
    if isinstance(wanted, address.Repository):
        return wanted.name.rpartition("/")[2]
    return unquote(urlsplit(wanted.url).path).rstrip("/").rpartition("/")[2]


def _show(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
