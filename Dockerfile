# syntax=docker/dockerfile:1
# Evergreen on InterSystems IRIS, Community Edition: `docker compose up`. See docs/iris.md.
# The licence inside a community image ends about a year after the image was made: hence a tag that moves.
ARG IRIS_IMAGE=intersystems/iris-community:latest-em
FROM ${IRIS_IMAGE}

# LOAD DATA needs Java. 51773 is irisowner in every image of IRIS. The folders are there so that fresh volumes belong to the user of IRIS.
# The versions are those of the image's own distribution.
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless python3-pip \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 51773 -g 51773 /irisdev/app/src/model /irisdev/app/src/books /irisdev/app/src/experiments /irisdev/app/data /durable/irisapp \
    && chown 51773:51773 /irisdev/app /irisdev/app/src /durable
USER 51773
WORKDIR /irisdev/app

# The packages belong to IRIS's own Python, so that its processes find them.
# TORCH_INDEX decides for which processor torch is built; docker-compose.gpu.yml says another one.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PATH=/home/irisowner/.local/bin:${PATH} \
    PIP_BREAK_SYSTEM_PACKAGES=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
RUN python3 -c 'import sys; sys.exit("IRIS_IMAGE has no Python 3.11 or newer: choose another." if sys.version_info < (3, 11) else 0)' \
    && python3 -m pip install --user --no-deps --index-url "${TORCH_INDEX}" "$(grep '^torch==' requirements.lock)" \
    && python3 -m pip install --user --only-binary=:all: -r requirements.lock

COPY --chown=51773:51773 misc ./misc
COPY --chown=51773:51773 src/iris ./src/iris
COPY --chown=51773:51773 src/python ./src/python
COPY --chown=51773:51773 iris.script ./
COPY --chown=51773:51773 --chmod=755 deploy/iris ./deploy/iris

# What IRIS changes (messages, tables, settings, accounts) lies in /durable; the image stays as it was made.
ENV EVERGREEN_DATA=/irisdev/app/data \
    IRISNAMESPACE=IRISAPP \
    ISC_CPF_MERGE_FILE=/irisdev/app/deploy/iris/merge.cpf \
    ISC_DATA_DIRECTORY=/durable/iris \
    LD_LIBRARY_PATH=/usr/irissys/bin \
    OMP_WAIT_POLICY=PASSIVE

EXPOSE 52773
HEALTHCHECK --interval=30s --timeout=20s --start-period=10m --retries=3 CMD ["/irisdev/app/deploy/iris/health.sh"]
ENTRYPOINT ["/tini", "--", "/iris-main"]
CMD ["--check-caps", "false", "--after", "/irisdev/app/deploy/iris/start.sh"]
