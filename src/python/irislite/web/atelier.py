"""What `iop --init` calls on IRIS's source-code service: `iop`'s classes are in the runtime, others are refused."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from starlette.exceptions import HTTPException

from irislite.web.api import in_namespace
from irislite.web.failures import Failure

router = APIRouter(
    prefix="/api/atelier/v1/{namespace}",
    tags=["iop"],
    dependencies=[Depends(in_namespace)],
    responses={status: {"model": Failure} for status in (404, 501)},
)


@router.put("/doc/{name}")
def put_document(name: str) -> dict[str, Any]:
    """Take a class of `iop`: it is there already."""
    _check(name)
    return {"status": {"errors": [], "summary": ""}, "console": [], "result": {"name": name}}


@router.post("/action/compile")
def compile_documents(names: Annotated[list[str], Body()]) -> dict[str, Any]:
    """Compile classes of `iop`: there is nothing to do."""
    for name in names:
        _check(name)
    text = f"The {len(names)} classes of iop are part of irislite: nothing was compiled."
    return {"status": {"errors": [], "summary": ""}, "console": [text], "result": {"content": []}}


def _check(name: str) -> None:
    if not name.startswith("IOP."):
        raise HTTPException(
            501, f"{name} is ObjectScript, which irislite does not run: write it in Python, or use InterSystems IRIS."
        )
