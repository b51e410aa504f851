"""The job from a command line, which spark-submit starts too: python -m search --path FOLDER --dump FILE --model ..."""

import argparse
import json
import os
import sys
import time

import search
from search.options import Options

TOKEN = "MILVUS_TOKEN"  # noqa: S105 - the name of an environment variable


def main(arguments: list[str] | None = None) -> int:
    """Run the job; its report is the last line, as JSON."""
    parser = argparse.ArgumentParser(prog="search", description="Make or renew an index of book covers.")
    for name in search.SETTINGS:
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", required=name == "path")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        report = search.index(Options.parse(given), _say, os.environ.get(TOKEN, ""))
    except search.SearchError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
