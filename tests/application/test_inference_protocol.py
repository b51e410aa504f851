"""The Open Inference Protocol: with a public client's JSON and binary tensors, and by hand."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from api import tensors
from api.errors import BadRequest
from application.conftest import Site


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return triton.InferenceServerClient(site.url.removeprefix("http://"))


@pytest.fixture
def key(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.keys['predictor']}"}


def texts(*values: str, binary: bool) -> triton.InferInput:
    given = triton.InferInput("input", [len(values)], "BYTES")
    given.set_data_from_numpy(np.array([value.encode() for value in values], dtype=object), binary_data=binary)
    return given


def test_health_and_metadata(client: Any, key: dict[str, str]) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.is_model_ready("labels", headers=key) and not client.is_model_ready("off", headers=key)
    metadata = client.get_model_metadata("labels", headers=key)
    assert metadata["platform"] == "transformers_text-classification"
    assert metadata["inputs"] == [{"name": "input", "datatype": "BYTES", "shape": [-1]}]


def test_the_models_that_can_be_asked(site: Site) -> None:
    with site.client("predictor") as client:
        assert client.get("/v2/models").json() == {"models": ["labels"]}
    with site.client("") as client:
        assert client.get("/v2/models").status_code == 401


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("answered_binary", [True, False])
def test_texts_are_labelled(client: Any, key: dict[str, str], binary: bool, answered_binary: bool) -> None:
    wanted = [triton.InferRequestedOutput(name, binary_data=answered_binary) for name in ("label", "score", "output")]
    result = client.infer(
        "labels", [texts("a good day", "a bad dáy", binary=binary)], outputs=wanted, headers=key, request_id="mine"
    )
    assert result.get_response()["id"] == "mine"
    assert [bytes(one) if isinstance(one, bytes) else one.encode() for one in result.as_numpy("label")] == [
        b"good",
        b"bad",
    ]
    assert result.as_numpy("score").dtype == np.float32 and result.as_numpy("score").tolist() == [0.75, 0.75]
    assert json.loads(result.as_numpy("output")[0]) == {"label": "good", "score": 0.75}


def test_an_option_is_an_input(client: Any, key: dict[str, str]) -> None:
    top_k = triton.InferInput("top_k", [1], "INT64")
    top_k.set_data_from_numpy(np.array([2]))
    result = client.infer("labels", [texts("one", "two", "three", binary=True), top_k], headers=key)
    assert result.as_numpy("label").shape == result.as_numpy("score").shape == (3, 2)


def test_errors_reach_the_client(client: Any, key: dict[str, str]) -> None:
    with pytest.raises(InferenceServerException, match="No item runs a model 'nothing'"):
        client.infer("nothing", [texts("x", binary=True)], headers=key)
    with pytest.raises(InferenceServerException, match="Send a key"):
        client.infer("labels", [texts("x", binary=True)])
    with pytest.raises(InferenceServerException, match="no output 'colour'"):
        client.infer("labels", [texts("x", binary=True)], outputs=[triton.InferRequestedOutput("colour")], headers=key)
    with pytest.raises(InferenceServerException, match="disabled"):
        client.infer("off", [texts("x", binary=True)], headers=key)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "valid JSON"),
        (b"[]", "no inputs"),
        (b'{"inputs": [1]}', "no name"),
        (b'{"inputs": [{"name": "input", "datatype": "TEXT", "shape": [1]}]}', "datatype 'TEXT'"),
        (b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [-1], "data": ["x"]}]}', "no shape"),
        (b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [true], "data": ["x"]}]}', "no shape"),
        (b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [2], "data": ["x"]}]}', "1 elements"),
        (b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "data": [1]}]}', "must be texts"),
        (b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1]}]}', "no data"),
        (b'{"inputs": [{"name": "input", "datatype": "INT8", "shape": [1], "data": [300]}]}', "too large for INT8"),
        (b'{"inputs": [{"name": "input", "datatype": "FP32", "shape": [1], "data": [1.5]}]}', "missing or empty"),
        (b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [0], "data": []}]}', "missing or empty"),
        (
            b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 9}}]}',
            "0 are there",
        ),
    ],
)
def test_a_body_that_cannot_be(site: Site, body: bytes, words: str) -> None:
    with site.client() as client:
        answer = client.post("/v2/models/labels/infer", content=body)
    assert answer.status_code == 400 and words in answer.json()["error"], answer.text


def test_a_binary_part_that_is_cut(site: Site) -> None:
    head = b'{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 6}}]}'
    with site.client() as client:
        for length, data in ((str(len(head)), struct.pack("<I", 200) + b"ab"), ("9999", b""), ("-1", b""), ("²", b"")):
            header = {"Inference-Header-Content-Length": length.encode()}
            answer = client.post("/v2/models/labels/infer", content=head + data, headers=header)
            assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("datatype", [name for name in tensors.DATATYPES if name != "BYTES"])
def test_numbers_of_every_type_survive_both_forms(datatype: str) -> None:
    array = np.array([[0, 1], [1, 1]]).astype(tensors._NUMPY[datatype])
    tensor = tensors.Tensor("x", datatype, array)
    head, data = tensors.as_binary(tensor)
    for described, binary in ((tensors.as_json(tensor), b""), (head, data)):
        found, _ = tensors.read(described, binary, 0)
        assert found.datatype == datatype and np.array_equal(found.array, array)


def test_lists_become_tensors_where_they_have_one_form() -> None:
    forms = {
        "BYTES": ["a", "b"], "BOOL": [True, False], "INT64": [[1, 2], [3, 4]], "FP32": [[0.5], [1]],
    }  # fmt: skip
    for datatype, values in forms.items():
        tensor = tensors.of("x", values)
        assert tensor is not None and tensor.datatype == datatype
    for values in ([], [None], [1, "a"], [[1], [1, 2]], [[1], 2], [{"a": 1}], [2**70]):
        assert tensors.of("x", values) is None


def test_a_tensor_without_end_is_refused() -> None:
    nested: Any = ["x"]
    for _ in range(2_000):
        nested = [nested]
    assert tensors.read({"name": "x", "datatype": "BYTES", "shape": [1], "data": nested}, b"", 0)[0].shape == [1]
    with pytest.raises(BadRequest, match="no shape"):
        tensors.read({"name": "x", "datatype": "BYTES", "shape": [10**9, 10**9], "data": []}, b"", 0)
