# What reconciliation, preparation and inference run in, away from this machine.
# Build in the experiment's folder: docker build -f docker/processing.Dockerfile -t REGISTRY/NAME:TAG .
ARG BASE=evergreen-irislite:latest
FROM ${BASE}
# Packages that src/user_defined_funcs.py imports go here.
ENTRYPOINT []
CMD ["python", "-m", "experiment"]
