# What training and tuning run in, away from this machine; BASE may be an image with CUDA.
# Build in the experiment's folder: docker build -f docker/training.Dockerfile -t REGISTRY/NAME:TAG .
ARG BASE=evergreen-irislite:latest
FROM ${BASE}
# Packages that src/user_defined_funcs.py imports go here.
ENTRYPOINT []
CMD ["python", "-m", "experiment"]
