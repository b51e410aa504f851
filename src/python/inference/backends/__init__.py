"""What can do a pipeline's forward in the place of its torch model: converted, in fewer bits, as fast as is right.

`shelf` keeps conversions on disk, `samples` makes inputs to calibrate and to judge with, `agreement` judges,
`converted` is OpenVINO, `doubt` leaves close decisions to fp32, and `choice` puts them together: what to start with,
what to swap in, and why.
"""

from typing import Any, Protocol


class Backend(Protocol):
    """What a pipeline, and the engine around it, ask of the object in `pipeline.model`. A torch model has it all."""

    config: Any
    dtype: Any
    device: Any

    def forward(self, **inputs: Any) -> Any:
        """The outputs, a mapping of names to tensors, for tensors by name."""

    def __call__(self, **inputs: Any) -> Any:
        """The same."""
