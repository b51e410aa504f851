"""The command line: python -m sentiment worker, receive, replay, state, dead. See docs/sentiment.md."""

import argparse
import sys

from sentiment import commands
from sentiment.errors import SentimentError


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="sentiment", description="The sentiment of a live stream of posts.")
    commands.register(parser)
    try:
        commands.run(parser.parse_args(arguments))
    except (SentimentError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
