"""A model in a process of its own, which everyone who runs it talks to: `open`, `run`, `close` as in `pipeline`.

On IRIS every member of a pool is a process; so all of them share one copy of a model, and what waits at the same time
runs as one batch. On irislite a model that crashes takes nothing else along. The process starts when the first one
opens the model, is started again when it dies, and ends when nobody has the model open any more.
"""

from inference.isolation.client import Model, close, open, run

__all__ = ["Model", "close", "open", "run"]
