"""FastAPI around the network as PyTorch loads it, as most tutorials write it: no batches, no other engine.

python -m tests.bench.peer_servers.plain_fastapi
"""

import os
from typing import Annotated, Any

import torch
import uvicorn
from fastapi import FastAPI, File, UploadFile

from models.hardware import usable_cores
from tests.bench.peer_servers import classifier


def create_app() -> FastAPI:
    """A plain function as the handler, which FastAPI runs on its pool of 40 threads."""
    # Torch computes each image with a thread for each core: its default, but for quotas of containers.
    torch.set_num_threads(usable_cores())
    loaded = classifier.artifact()
    model, network = classifier.describe(loaded, "float32"), loaded.model
    app = FastAPI()

    @app.post("/predict")
    def predict(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        images = model.normalize([model.prepare(file.file.read())])
        with torch.inference_mode():
            return model.answers(network(images))[0]

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ready"}

    return app


def main() -> None:
    uvicorn.run(
        create_app(),
        host=os.environ["RESNET_SERVE_HOST"],
        port=int(os.environ["PORT"]),
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
