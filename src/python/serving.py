"""The production of `evergreen serve`: one model, and the service through which requests of /v2 and /api/v1 enter."""

import os

from iop import Production

import bo
import bs

TOGETHER = 32  # requests in hand: what waits at the same time runs as one batch

production = Production("Evergreen.Serving", description="One model, served: EVERGREEN_SERVED says which.")
production.service("Application API", bs.ApplicationService, class_name="Python.ApplicationService")
production.operation(
    "Model",
    bo.MLOperation,
    class_name="Python.MLOperation",
    pool_size=TOGETHER,
    settings={"%settings": os.environ.get("EVERGREEN_SERVED", "")},
)

PRODUCTIONS = [production]
APPLICATIONS = {"/api/v1": "api.app:create", "/v2": "api.app:create"}
