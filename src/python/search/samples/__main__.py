"""Make samples: python -m search.samples dump FILE --mb 1000 | clip FOLDER | library FOLDER --books 2000."""

import argparse
import sys
from pathlib import Path

from search.samples import clip, dump, library


def main(arguments: list[str] | None = None) -> int:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(prog="search.samples", description="Samples to try a search with.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, about in (("dump", "a dump of editions"), ("clip", "a small CLIP"), ("library", "a dump and its covers")):
        kinds.add_parser(name, help=about).add_argument("target", type=Path)
    kinds.choices["dump"].add_argument("--mb", type=int, default=100)
    kinds.choices["library"].add_argument("--books", type=int, default=2_000)
    kinds.choices["library"].add_argument("--zips", action="store_true", help="covers as bulk zips")
    asked = parser.parse_args(arguments)
    asked.target.parent.mkdir(parents=True, exist_ok=True)
    if asked.kind == "dump":
        print(f"{dump.write(asked.target, asked.mb * 1_000_000):,} lines in {asked.target}")
    elif asked.kind == "clip":
        print(f"The model is in {clip.train(asked.target, log=print)}")
    else:
        asked.target.mkdir(parents=True, exist_ok=True)
        made = list(library.volumes(asked.books))
        library.write_dump(asked.target / "editions.txt", made)
        library.write_covers(asked.target / "covers", made, asked.zips)
        print(f"{len(made):,} books in {asked.target}/editions.txt, their covers in {asked.target}/covers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
