"""The routes of /api/v1/keys: made, listed and revoked by an administrator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from api import models
from api.access import Identity, require
from api.keys import Keys
from api.routes import called
from api.routes import router as api

Administrator = Annotated[Identity, Depends(require("administer"))]
router = APIRouter(prefix=f"{api.prefix}/keys", tags=["keys"], responses=api.responses)


def _keys(request: Request) -> Keys:
    keys: Keys = request.app.state.keys
    return keys


@router.get("")
async def keys(request: Request, _: Administrator) -> list[models.Key]:
    """All keys that were made, the newest first, without the keys themselves."""
    return [models.Key.model_validate(key) for key in await called(request, _keys(request).all)]


@router.post("", status_code=201)
async def create(request: Request, _: Administrator, wish: models.KeyWish) -> models.NewKey:
    """Make a key. It is shown in this answer and nowhere else."""
    key, text = await called(request, _keys(request).create, wish.name, wish.role, wish.days, wish.rate)
    return models.NewKey(**models.Key.model_validate(key).model_dump(), key=text)


@router.delete("/{key_id}")
async def revoke(request: Request, _: Administrator, key_id: str) -> models.Key:
    """Make a key worthless, at once and for good."""
    return models.Key.model_validate(await called(request, _keys(request).revoke, key_id))
