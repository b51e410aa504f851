"""FastAPI, as most tutorials write it: one request after another, no batches."""

from typing import Any

import uvicorn
from fastapi import FastAPI
from peers import classifier
from pydantic import BaseModel

app = FastAPI()
classify = classifier.make()


class Request(BaseModel):
    inputs: str


# Not in a thread: forwards of several requests at once would only take the one core from each other.
@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:
    return classify([request.inputs])[0]  # type: ignore[no-any-return]


if __name__ == "__main__":
    uvicorn.run(app, port=classifier.PORT, log_level="error")
