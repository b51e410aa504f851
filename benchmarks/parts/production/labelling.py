"""The production that inference is measured in: a service that sends, and an item for the model.

BENCH_MODEL_NAME is the model's folder, BENCH_BACKEND the item's backend, BENCH_POOL how many messages it has in hand.
"""

import os

from iop import BusinessService, Production

import bo


class Door(BusinessService):
    """Sends for code outside the production."""


_LINES = f"name={os.environ['BENCH_MODEL_NAME']}\ntask=text-classification\nbackend={os.environ['BENCH_BACKEND']}"

production = Production("Bench.Inference")
production.service("Door", Door)
production.operation("Model", bo.MLOperation, pool_size=int(os.environ["BENCH_POOL"]), settings={"%settings": _LINES})
PRODUCTIONS = [production]
