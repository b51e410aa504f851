"""The command line for keys: `evergreen keys create NAME`, `list`, `revoke ID`, `export`.

It works beside a running server.
"""

import argparse
import sys
from contextlib import closing

from api.keys import ROLES, Key, Keys


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `keys`."""
    parser = commands.add_parser("keys", help="keys of the application API: make, list, revoke")
    acts = parser.add_subparsers(dest="act", required=True)
    create = acts.add_parser("create", help="make a key; it is printed once and kept nowhere")
    create.add_argument("name", help="who it is for")
    create.add_argument("--role", choices=tuple(ROLES), default="predictor", help="what it may do (predictor)")
    create.add_argument("--days", type=float, help="it expires after so many days (never)")
    create.add_argument("--rate", type=float, help="how many requests a second it may send (the server's rate)")
    acts.add_parser("list", help="all keys that were made, without the keys themselves")
    revoke = acts.add_parser("revoke", help="make a key worthless, at once and for good")
    revoke.add_argument("id", help="its id, as the list shows it")
    acts.add_parser("export", help="the valid keys for other servers, as hashes: JSON lines on standard output")


def run(options: argparse.Namespace) -> None:
    """Do what was typed. Raises `ApiError`."""
    with closing(Keys.open()) as keys:
        if options.act == "create":
            key, text = keys.create(options.name, options.role, options.days, options.rate)
            print(text)  # alone on standard output, so that a script can take it
            print(f"{_line(key)}\nKeep the key: it is not shown again.", file=sys.stderr)
        elif options.act == "export":
            print(keys.exported(), end="")
        elif options.act == "list":
            for key in keys.all():
                print(_line(key))
        else:
            print(_line(keys.revoke(options.id)))


def _line(key: Key) -> str:
    state = f"revoked {key.revoked}" if key.revoked else f"expires {key.expires or 'never'}"
    return f"{key.id}  {key.role:13}  {state:33}  used {key.used or 'never':25}  {key.name}"
