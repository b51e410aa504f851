"""Make the secrets that the manifests name, of random values: `python make_secrets.py | kubectl create -f -`.

Nothing is kept but in the cluster, where `create` refuses to replace what is there. It needs Python alone.
"""

import hashlib
import json
import secrets
import sys
from datetime import UTC, datetime

NAMESPACE = "evergreen"
STREAM = "~evergreen:sentiment:*"
# Who may do what in Redis. Without a name: ask whether it answers.
USERS = {
    "production": f"{STREAM} &stream &STREAM +@all -@admin -@dangerous +info +config|get",
    "worker": f"{STREAM} &stream &STREAM +@all -@admin -@dangerous +info +config|get",
    "receiver": f"{STREAM} resetchannels +@all -@admin -@dangerous -@pubsub +info +config|get",
    "keda": f"{STREAM} resetchannels -@all +@connection +xinfo +xlen +xpending +info",
    "operator": "~* &* +@all",
}


def made() -> list[dict[str, object]]:
    """The secrets, as Kubernetes takes them."""
    passwords = {name: secrets.token_urlsafe(32) for name in USERS}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in passwords.items()}
    users = ["user default on nopass resetkeys resetchannels -@all +ping"]
    users += [f"user {name} on #{digests[name]} {rules}" for name, rules in USERS.items()]
    key, hashed = model_key()
    return [
        secret("evergreen", password=secrets.token_urlsafe(24)),
        secret("redis", **{f"{name}-password": text for name, text in passwords.items()},
               **{"users.acl": "\n".join(users) + "\n"}),
        secret("stream", token=secrets.token_urlsafe(32)),
        secret("model-key", key=key),
        secret("model-keys", **{"keys.jsonl": json.dumps(hashed) + "\n"}),
    ]  # fmt: skip


def model_key() -> tuple[str, dict[str, object]]:
    """A key of the application API for the workers, and what the servers of the model know of it: see api/keys.py."""
    key_id, text = secrets.token_hex(6), secrets.token_urlsafe(32)
    known = {
        "id": key_id,
        "name": "stream workers",
        "role": "predictor",
        "hash": hashlib.sha256(text.encode()).hexdigest(),
        "rate": None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "expires": None,
    }
    return f"egk_{key_id}_{text}", known


def secret(name: str, **values: str) -> dict[str, object]:
    """One of them."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "evergreen"}},
        "stringData": values,
    }


if __name__ == "__main__":
    if sys.stdout.isatty():
        sys.exit("These are secrets: hand them on, as in `python make_secrets.py | kubectl create -f -`.")
    json.dump({"apiVersion": "v1", "kind": "List", "items": made()}, sys.stdout, indent=1)
