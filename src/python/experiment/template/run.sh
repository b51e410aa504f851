#!/bin/sh
# Runs this experiment, and goes on with a run that was interrupted; shows the comparison at the end.
set -eu
cd "$(dirname "$0")"
exec evergreen experiment run . "$@"
