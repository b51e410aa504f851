"""The Open Inference Protocol, version 2, over HTTP: health, metadata and inference of the local models.

The main input is called `input`: BYTES, a text or an encoded picture, sound or film each. Every other input is an
option of the request with one element, as in `top_k`. The output `output` is what `predict` answers, one JSON text for
each element of `input`; where all of them have the same form, it comes as typed tensors besides, such as `label` and
`score`.
"""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api import tensors
from api.access import Identity, require
from api.engine import Model, Reply
from api.errors import BadRequest, ItemFailed
from api.routes import FAILURES, called, description, engine_of
from api.tensors import Tensor

VERSION = "1"  # of every model: which of its folders answers, promotion decides
HEADER_LENGTH = "Inference-Header-Content-Length"
TIMEOUT_S = 60.0
_TEXT_TASKS = ("text-", "token-", "fill-mask", "feature-", "zero-shot-classification", "ner", "sentiment-", "table-")

Asker = Annotated[Identity, Depends(require("predict"))]
router = APIRouter(prefix="/v2", tags=["open inference protocol"], responses=FAILURES)

_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": dict[str, Any], "description": "It is not ready."}}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"enum": [*tensors.DATATYPES]},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {"inputs": {"type": "array", "minItems": 1, "items": _TENSOR}},
                }
            },
        },
    }
}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "The outputs.", "content": {"application/json": {}, "application/octet-stream": {}}}
}


@router.get("")
async def server() -> dict[str, Any]:
    """The server's name, version and extensions."""
    return {"name": "evergreen", "version": "1.0.0", "extensions": ["binary_tensor_data"]}


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """Whether the server answers."""
    return {"live": True}


@router.get("/health/ready", responses=_NOT_READY)
async def ready(request: Request, response: Response) -> dict[str, bool]:
    """Whether the production runs; 503 where it does not."""
    runs = (await called(request, engine_of(request).status))[1] in ("running", "troubled")
    response.status_code = 200 if runs else 503
    return {"ready": runs}


@router.get("/models")
async def models(request: Request, _: Asker) -> dict[str, list[str]]:
    """The models that can be asked."""
    found = await called(request, engine_of(request).models)
    return {"models": list(dict.fromkeys(model.name for model in found if model.enabled))}


@router.get("/models/{model}")
@router.get("/models/{model}/versions/{version}")
async def metadata(request: Request, _: Asker, model: str, version: str = VERSION) -> dict[str, Any]:
    """What a model takes and answers."""
    found = await _model(request, model, version)
    return {
        "name": found.name,
        "versions": [VERSION],
        "platform": f"transformers_{found.task}",
        "inputs": [{"name": "input", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": "output", "datatype": "BYTES", "shape": [-1]}],
    }


@router.get("/models/{model}/ready", responses=_NOT_READY)
@router.get("/models/{model}/versions/{version}/ready", responses=_NOT_READY)
async def model_ready(
    request: Request, response: Response, _: Asker, model: str, version: str = VERSION
) -> dict[str, Any]:
    """Whether a model's item takes requests; 503 where it does not."""
    found = await _model(request, model, version)
    response.status_code = 200 if found.enabled else 503
    return {"name": found.name, "ready": found.enabled}


@router.post("/models/{model}/infer", response_model=None, openapi_extra=_BODY, responses=_ANSWER)
@router.post("/models/{model}/versions/{version}/infer", response_model=None, openapi_extra=_BODY, responses=_ANSWER)
async def infer(request: Request, identity: Asker, model: str, version: str = VERSION) -> Response:
    """Ask a model; see the protocol for the body, in JSON or with binary tensors behind it."""
    _check(version)
    engine, told = engine_of(request), description(request, identity)
    asked, inputs = _read(await request.body(), request.headers.get(HEADER_LENGTH, ""))

    def send() -> tuple[Model, Reply]:
        found = engine.model(model)
        return found, engine.send(found.item, "msg.MLRequest", _fields(inputs, found), TIMEOUT_S, told)

    found, reply = await called(request, send)
    results = (reply.content or {}).get("output")
    if not isinstance(results, list):
        raise ItemFailed(f"{found.item} did not answer with a list: see session {reply.session_id}.", reply.session_id)
    outputs = {tensor.name: tensor for tensor in _outputs(results)}
    return _written(asked, found, outputs, request.state.request_id)


def _check(version: str) -> None:
    if version != VERSION:
        raise BadRequest(f"There is version {VERSION} of every model, not {version!r}: leave it out.")


async def _model(request: Request, name: str, version: str) -> Model:
    _check(version)
    return await called(request, engine_of(request).model, name)


def _read(body: bytes, header_length: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON of a request, and its inputs. Raises `BadRequest`."""
    length = int(header_length) if header_length.isascii() and header_length.isdigit() else len(body)
    if header_length and not (header_length.isascii() and header_length.isdigit() and length <= len(body)):
        raise BadRequest(f"{HEADER_LENGTH} is {header_length!r}: it must be the length of the JSON in bytes.")
    try:
        asked = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body does not begin with valid JSON ({error}): correct it and send it again.") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("inputs"), list):
        raise BadRequest('The body has no inputs: write it as in {"inputs": [{"name": "input", ...}]}.')
    inputs: dict[str, Tensor] = {}
    start = 0
    for described in asked["inputs"]:
        tensor, start = tensors.read(described, body[length:], start)
        inputs[tensor.name] = tensor
    return asked, inputs


def _fields(inputs: Mapping[str, Tensor], model: Model) -> dict[str, Any]:
    """The fields of msg.MLRequest. Raises `BadRequest`."""
    main = inputs.get("input")
    if main is None or main.datatype != "BYTES" or not main.array.size:
        raise BadRequest('The input "input" is missing or empty: give it as BYTES, a text or a file for each element.')
    elements = main.array.reshape(-1).tolist()
    if model.task.startswith(_TEXT_TASKS):
        try:
            fields: dict[str, Any] = {"inputs": [one.decode() for one in elements]}
        except UnicodeDecodeError as error:
            raise BadRequest(f"A text of the input is no UTF-8 ({error}): encode it so.") from error
    else:
        fields = {"inputs": ["data:;base64," + base64.b64encode(one).decode() for one in elements]}
    for name, tensor in inputs.items():
        if name == "input":
            continue
        values = [
            one.decode("utf-8", "replace") if isinstance(one, bytes) else one
            for one in tensor.array.reshape(-1).tolist()
        ]
        fields[name] = values[0] if len(values) == 1 else values
    return fields


def _outputs(results: list[Any]) -> list[Tensor]:
    """`output`, and what of the results has one form."""
    found = [tensors.of("output", [json.dumps(one, ensure_ascii=False) for one in results])]
    flat = [one[0] if isinstance(one, list) and len(one) == 1 and isinstance(one[0], dict) else one for one in results]
    rows = [one if isinstance(one, list) else [one] for one in flat]
    if all(isinstance(one, dict) for row in rows for one in row):
        for name in dict.fromkeys(name for row in rows for one in row for name in one):
            nested = [[one.get(name) for one in row] for row in rows]
            found.append(
                tensors.of(name, [row[0] for row in nested] if all(len(row) == 1 for row in nested) else nested)
            )
    else:
        found.append(tensors.of("values", results))
    return [tensor for tensor in found if tensor is not None]


def _written(asked: Mapping[str, Any], model: Model, outputs: Mapping[str, Tensor], request_id: str) -> Response:
    """The answer with the outputs that were asked for, all without a choice; binary where it was asked for."""
    wishes = asked.get("outputs") or [{"name": name} for name in outputs]
    all_binary = _parameter(asked, "binary_data_output") is True
    described, data = [], []
    for wish in wishes if isinstance(wishes, list) else [wishes]:
        name = wish.get("name") if isinstance(wish, dict) else wish
        if not isinstance(name, str) or name not in outputs:
            raise BadRequest(f"There is no output {name!r} in this answer: there are {', '.join(outputs)}.")
        binary = _parameter(wish, "binary_data") if isinstance(wish, dict) else None
        if binary is True or (binary is None and all_binary):
            head, content = tensors.as_binary(outputs[name])
            data.append(content)
        else:
            head = tensors.as_json(outputs[name])
        described.append(head)
    answer = {
        "model_name": model.name,
        "model_version": VERSION,
        "id": asked["id"] if isinstance(asked.get("id"), str) else request_id,
        "outputs": described,
    }
    text = json.dumps(answer).encode()
    if not data:
        return Response(text, media_type="application/json")
    headers = {HEADER_LENGTH: str(len(text))}
    return Response(text + b"".join(data), headers=headers, media_type="application/octet-stream")


def _parameter(described: Mapping[str, Any], name: str) -> Any:
    parameters = described.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None
