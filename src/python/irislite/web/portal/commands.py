"""A test as a command for a terminal: with curl, or with the command line of iop."""

import json
import shlex

HELP = (
    "It asks for, or takes from IOP_PASSWORD, the password: none is written here. Secrets of the request are masked: "
    "put them in where it says ********."
)


def curl(base: str, user: str, target: str, classname: str, body: str) -> str:
    """The test as a call of REST; curl asks for the user's password."""
    try:
        value = json.loads(body or "{}")
    except ValueError:
        value = body  # a text, or JSON that is not finished: the server says what is wrong with it
    sent = json.dumps({"target": target, "classname": classname, "body": value}, ensure_ascii=False)
    return " \\\n  ".join((
        f"curl -u {shlex.quote(user)}", "-H 'Content-Type: application/json'", f"-d {shlex.quote(sent)}",
        shlex.quote(f"{base}/api/iop/test"),
    ))  # fmt: skip


def iop(base: str, user: str, target: str, classname: str, body: str) -> str:
    """The test with the stock command line, which takes the password from IOP_PASSWORD."""
    parts = [f"iop --test {shlex.quote(target)}"]
    if classname:
        parts.append(f"-C {shlex.quote(classname)}")
        try:
            body = json.dumps(json.loads(body or "{}"), ensure_ascii=False)  # in one line
        except ValueError:
            pass
        parts.append(f"-B {shlex.quote(body)}")
    return f"IOP_URL={shlex.quote(base)} IOP_USERNAME={shlex.quote(user)} \\\n  " + " \\\n  ".join(parts)
