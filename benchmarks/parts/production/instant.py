"""A production whose one operation answers at once: what is measured is the API and the engine, not a model."""

from iop import BusinessOperation, Production, handler

import bs
import msg


class Instant(BusinessOperation):
    """Answers as a classifier does."""

    @handler(msg.MLRequest)
    def on_ml_request(self, _request: msg.MLRequest) -> msg.MLResponse:
        return msg.MLResponse(output=[{"label": "good", "score": 0.75}])


production = Production("Benchmark.Api")
production.service("Application API", bs.ApplicationService)
production.operation("Instant", Instant, pool_size=8, settings={"%settings": "name=instant\ntask=text-classification"})
PRODUCTIONS = [production]
APPLICATIONS = {"/api/v1": "api.app:create", "/v2": "api.app:create"}
