#!/bin/sh
# Called by iris-main when IRIS has started and has read merge.cpf, which made the namespace in a database of its own on the
# data volume. A failure of iris.script stops the container.
set -eu
iris session IRIS < /irisdev/app/iris.script
