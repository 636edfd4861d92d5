"""What an artifact's report.json tells of the run and of its test: the part that the API passes on."""

from pydantic import BaseModel, ConfigDict, Field

FILE_NAME = "report.json"


class Epoch(BaseModel):
    """Losses are mean cross-entropies in nats, accuracies are in 0..1."""

    epoch: int
    image_size: int = Field(description="Side in pixels of the images it was trained on.")
    learning_rate: float
    train_loss: float
    train_accuracy: float
    watched_loss: float = Field(description="On the images that were held out.")
    watched_accuracy: float


class Evaluation(BaseModel):
    """On the test set, of the stored weights in float32; shares, confidences and errors are in 0..1."""

    images: int
    accuracy: float
    expected_calibration_error: float
    confusion: list[list[int]] = Field(
        description="Row i, column j: how many images of class i were taken for class j."
    )
    bin_confidence: list[float] = Field(
        description="The mean of the highest probability in each of its equal bins; 0 in an empty one."
    )
    bin_accuracy: list[float] = Field(description="The share of the bin's images that were right.")
    bin_share: list[float] = Field(description="The bin's share of all images.")


class Mistake(BaseModel):
    """One of the test images that the model was most sure about, and wrong."""

    number: int = Field(description="Of the image in the test set, from 0.")
    true_class: str
    answer: str
    probability: float = Field(description="Of the answer; calibrated, 0..1.")
    picture: str = Field(description="The image as PNG, in Base64.")


class Report(BaseModel):
    model_config = ConfigDict(frozen=True)

    history: list[Epoch] = Field(description="Of training, the first epoch first.")
    evaluation: Evaluation
    mistakes: list[Mistake] | None = Field(
        None, description="The worst ones first; null where the artifact has none."
    )
