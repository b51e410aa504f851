"""Python messages for code outside a production: what is stored for one, and one from what is stored."""

import sys
from typing import Any

from iop.messages.dispatch import dispatch_deserializer, dispatch_serializer
from iop.messages.serialization import SerializationError

from irislite.bridge.objects import EnsRequest, IrisObject, StringRequest, to_body, to_object
from irislite.errors import BadRequest, NotSupported
from irislite.header import Body


def pack(message: Any) -> Body | None:
    """What is stored for a message: a message of `iop`, a text (`Ens.StringRequest`) or None (`Ens.Request`).

    Raises `BadRequest` with what to do for anything else.
    """
    if message is None:
        return to_body(EnsRequest())
    if isinstance(message, str):
        return to_body(StringRequest(message))
    kind = type(message)
    if not isinstance(message, IrisObject) and getattr(sys.modules.get(kind.__module__), kind.__name__, None) is None:
        raise BadRequest(
            f"The class {kind.__qualname__} cannot be found as {kind.__module__}.{kind.__name__}, which is how iop "
            "looks for it: define it at the top of its module, not inside a function."
        )
    try:
        return to_body(dispatch_serializer(message))
    except (TypeError, SerializationError, NotSupported) as error:
        raise BadRequest(
            f"A {kind.__name__} is no message: {error}. Send a dataclass that extends iop.Message, an "
            "iop.PydanticMessage, a text, or None."
        ) from error


def unpack(body: Body | None) -> Any:
    """The message that was stored: as an object of its Python class, or of IRIS's. None for no body.

    Where its class cannot be made, the stored text is the answer. Equal messages are equal: they carry no id.
    """
    value = to_object(body)
    try:
        message = dispatch_deserializer(value)
    except Exception:  # noqa: BLE001 - the message's own code, or no such class: the stored text tells enough
        return body.content if body is not None else None
    if message is not value:
        message._iris_id = None
    return message
