"""A hosted model by its name on the hub, through Hugging Face's `InferenceClient`."""

from collections.abc import Mapping
from typing import Any

import httpx2
from huggingface_hub import HfApi, InferenceClient
from huggingface_hub.inference._providers import _common, hf_inference  # for their caches, see `forget`
from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

from inference.answer import Answer, Log
from inference.errors import EndpointError, InputRefused
from inference.hosted import answers, stream, tasks
from inference.hosted.endpoint import check_complete
from inference.hosted.gate import Call, passing
from inference.hosted.refusal import MODELS, Refusal
from inference.hosted.request import Request
from inference.hosted.rules import TOKENS
from inference.hosted.tasks import CHAT, HostedTask


def check(request: Request, call: Call) -> None:
    """Raises `EndpointError` for a call that cannot succeed, or must not be made, before anything is sent."""
    if request.by_url:
        try:
            url = httpx2.URL(request.model)
        except httpx2.InvalidURL as error:
            raise EndpointError(f"model {request.model!r} is no web address ({error}). Correct it.") from None
        if url.userinfo:
            raise EndpointError("model holds a user or a password. Leave them out, and give the key in api_key.")
        place = url.scheme, url.raw_host.decode("ascii").strip("[]").lower(), url.port
        if not call.hosts.allow(*place):
            raise call.hosts.refusal(*place)
    elif not call.key:
        raise EndpointError(
            f"There is no key. Put a token from {TOKENS} into a credential, the variable HF_TOKEN, or api_key."
        )


Plan = tuple[HostedTask, Mapping[str, Any]]


def plan(request: Request, call: Call) -> Plan:
    """The task, which the hub is asked for if it is not given, and what its method is called with."""
    if request.messages is not None:
        task = tasks.find(CHAT)
    elif request.task:
        task = tasks.find(request.task)
    else:
        task = tasks.find(_task_of(request, call))
    inputs = request.messages if request.messages is not None else request.inputs
    if task.name == CHAT:
        inputs = {"messages": tasks.as_messages(inputs)}
    method = getattr(InferenceClient, task.method)
    return task, tasks.arguments(task, method, inputs, request.parameters, request.stream)


def ask(request: Request, task: HostedTask, values: Mapping[str, Any], call: Call, log: Log) -> Answer:
    """Call the model. Raises `Refusal`, and what the client and httpx2 raise."""
    media = next((value for value in values.values() if isinstance(value, bytes)), b"")
    call.media_type = tasks.media_type(media)
    through = f" through {request.provider}" if request.provider else ""
    log(f"Asking {request.model} for {task.name}{through}.")
    session = get_session()
    with (
        passing(call, session),
        InferenceClient(
            model=request.model,
            provider=request.provider or None,  # type: ignore[arg-type]
            api_key=call.key,
            timeout=call.left_s(),
            bill_to=request.bill_to or None,
        ) as client,
    ):
        if request.stream and task.name == "text-generation":
            values = {**values, "details": True}  # without them the end of a stream cannot be told from a cut
        result = getattr(client, task.method)(**values)
        if request.stream:
            whole = stream.gather(map(answers.plain, result), log)
            check_complete(whole, call)
            return Answer(_as_without_stream(whole.output()))
        return answers.of_value(result, call.answer_type)


def serving(model: str, call: Call) -> str:
    """A sentence about who serves a model; '' if the hub does not say."""
    try:
        return _told(model, _providers(model, call))
    except (Refusal, httpx2.HTTPError, OSError, ValueError, LookupError, TypeError, EndpointError):
        return ""  # the first error is the one to tell


def forget() -> None:
    """Let the client ask the hub anew: it remembers who serves a model as long as the process lives."""
    _common._fetch_inference_provider_mapping.cache_clear()
    hf_inference._check_supported_task.cache_clear()


def _task_of(request: Request, call: Call) -> str:
    """The task of a model at the provider that will serve it."""
    if request.by_url:
        raise InputRefused("task is missing, and an address does not tell it. Give task, as in text-generation.")
    mapping = _providers(request.name, call)
    chosen = [each for each in mapping if request.provider in ("", "auto", each.provider)]
    if not chosen:
        first = f"{request.provider} does not serve {request.name}. " if mapping else ""
        raise EndpointError(first + _told(request.name, mapping))
    return str(chosen[0].task)


def _providers(model: str, call: Call) -> list[Any]:
    """Who serves a model, in the order of the hub; it is asked without a key."""
    with passing(call, get_session()):
        info = HfApi(endpoint=call.hub, token=False).model_info(model, expand=["inferenceProviderMapping"])
    return list(info.inference_provider_mapping or ())


def _told(model: str, mapping: list[Any]) -> str:
    if not mapping:
        return f"No provider serves {model}. Choose one of {MODELS}, or run it here with MLOperation."
    named = ", ".join(f"{each.provider} ({each.task})" for each in mapping)
    return f"{model} is served by {named}. Set provider and task to one of these, or leave provider out."


def _as_without_stream(output: Any) -> Any:
    """What the client answers without a stream: of a generated text the text alone."""
    if isinstance(output, dict) and "generated_text" in output:
        return output["generated_text"]
    return output
