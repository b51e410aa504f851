#!/bin/sh
# Healthy: IRIS itself, and the production is running.
set -eu
/irisHealth.sh
iris session IRIS -U IRISAPP '##class(Evergreen.Setup).Health()'
