#!/usr/bin/env bash
# Pack what the workers of a cluster need into dist/: evergreen-spark.tar.gz, a Python with its library, the packages and
# `search`, which runs wherever it is unpacked, and main.py. Run it on the workers' kind of Linux (for EMR Serverless:
# Amazon Linux 2023 with python3.11), because both are made for one C library.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3.11}
home=$("$python" -c 'import sys; print(sys.base_prefix)')
name=$("$python" -c 'import sys; print(f"python{sys.version_info.major}.{sys.version_info.minor}")')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/bin" "$work/lib/$name" dist
cp "$home/bin/$name" "$work/bin/python"
cp "$home"/lib/libpython3*.so* "$work/lib/" 2>/dev/null || true  # a Python that is one file has none
tar -C "$home/lib/$name" --exclude=./site-packages --exclude=./test --exclude=./idlelib --exclude=__pycache__ -cf - . \
    | tar -C "$work/lib/$name" -xf -
packages="$work/lib/$name/site-packages"
"$python" -m pip install --quiet --disable-pip-version-check --target "$packages" -r deploy/spark/requirements.txt
for part in search settinglines.py libraries.py hardware.py filelocks.py; do cp -r "src/python/$part" "$packages/"; done
find "$work" -name __pycache__ -type d -prune -exec rm -rf {} +

tar -C "$work" -czf dist/evergreen-spark.tar.gz .
cp deploy/spark/main.py dist/main.py
ls -l dist/evergreen-spark.tar.gz dist/main.py
