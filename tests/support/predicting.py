"""Images for /predict, and what the network itself says of them."""

import numpy as np
import torch
from PIL import Image

from models.artifact.store import load_artifact
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import CLASSES
from tests.support.service import Client, png_of

TOLERANCE = 1e-5
"""Of a probability: libraries may add up a batch of another size in another order."""


def noise_image(seed: int = 0, size: tuple[int, int] = (32, 32)) -> Image.Image:
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def file_field(content: bytes, name: str = "image.png") -> tuple[str, tuple[str, bytes]]:
    return ("file", (name, content))


def probabilities_of(client: Client, *images: Image.Image) -> list[dict[str, float]]:
    response = client.post("/predict?top_k=10", files=[file_field(png_of(image)) for image in images])
    assert response.status_code == 200, response.text
    return [
        {entry["label"]: entry["probability"] for entry in prediction["top"]}
        for prediction in response.json()["predictions"]
    ]


def expected_of(client: Client, image: Image.Image) -> dict[str, float]:
    """As evaluation computes it: the artifact, its preprocessing and the network, with no service around."""
    artifact = load_artifact(client.app.state.context.settings.model_dir)
    with torch.inference_mode():
        logits = artifact.model(Preprocessing.from_metadata(artifact.metadata)(image).unsqueeze(0))
        probabilities = torch.softmax(logits / artifact.metadata.temperature, dim=1)[0]
    return dict(zip(CLASSES, probabilities.tolist(), strict=True))
