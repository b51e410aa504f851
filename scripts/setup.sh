#!/usr/bin/env bash
# Set up what a command needs: `setup.sh run`, `test` or `bench`. Quick when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

group=${1:?usage: setup.sh run|test|bench}
venv=${VENV:-.venv}
stamp="$venv/.evergreen-$group"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
install_system() {
    echo "Installing $* (system packages)..."
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# 1. A Python that is new enough, with venv.
python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3.12 python3.11 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
    done
fi
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3." >&2
    exit 1
fi
if [ ! -x "$venv/bin/python" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_system python3-venv
    echo "Making the environment $venv with $("$python" --version)..."
    "$python" -m venv "$venv"
fi

# 2. The locked packages, and the project itself.
locks=(-r requirements.lock)
[ "$group" != run ] && locks+=(-r requirements-test.lock)
[ "$group" = bench ] && locks+=(-r requirements-bench.lock)
stale=
for file in pyproject.toml requirements*.lock; do [ "$file" -nt "$stamp" ] && stale=yes; done
if [ ! -f "$stamp" ] || [ -n "$stale" ]; then
    echo "Installing the locked packages for '$group' (the first time this downloads several hundred megabytes)..."
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${locks[@]}"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .
    touch "$stamp"
fi

# 3. A browser for the browser tests, a Java for Spark, a Redis for the stream and the benchmarks' peers.
if [ "$group" = test ] && [ -z "${CHROMIUM:-}" ] && ! command -v chromium >/dev/null; then
    install_system chromium fonts-dejavu-core
fi
if [ "$group" != run ] && [ -z "${JAVA_HOME:-}" ] && ! command -v java >/dev/null; then
    install_system openjdk-17-jre-headless
fi
if [ "$group" != run ] && ! command -v redis-server >/dev/null; then
    install_system redis-server
fi

# 4. The peers whose packages contradict ours: each in an environment of its own, which finds torch and all else in ours.
for peer in bentoml mlserver; do
    own="$venv/peers/$peer" lock="requirements-$peer.lock"
    [ "$group" = bench ] || continue
    [ -f "$own/.installed" ] && [ ! "$lock" -nt "$own/.installed" ] && continue
    echo "Making the environment $own for a peer of the benchmarks..."
    rm -rf "$own"
    "$venv/bin/python" -m venv --without-pip "$own"
    "$venv/bin/python" -m pip --python "$own/bin/python" install --quiet --disable-pip-version-check --no-deps -r "$lock"
    site='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$venv/bin/python" -c "$site" > "$("$own/bin/python" -c "$site")/evergreen.pth"
    touch "$own/.installed"
done
