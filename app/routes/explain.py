"""POST /explain: where in an image the evidence for a class lies."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.errors import ApiError, invalid_parameter
from app.http.error_handlers import documented
from app.http.request_scope import ReadyContext, request_scope
from app.http.uploads import read_uploads, upload_body
from app.inference.preparation import prepare_images
from app.registry.served_model import Pixels, ServedModel
from app.routes.schemas import TOP, ClassProbability, ModelId, ModelQuery, model_id, top_classes

router = APIRouter(tags=["explain"])


class ExplainQuery(ModelQuery):
    label: str | None = Field(
        None, alias="class", description="The class to explain; by default the most probable one."
    )
    format: Literal["json", "png"] = Field(
        "json", description="`json`: the map as numbers. `png`: the map in colours over the image."
    )


class ExplainResponse(BaseModel):
    """Computed with the stored weights in float32, whatever the precision of `/predict`."""

    model: ModelId
    label: str
    probability: float = Field(description="Of the label; calibrated, 0..1.")
    logit: float = Field(description="Of the label, before calibration: the mean of `map`, plus `bias`.")
    bias: float = Field(description="The part of the logit that does not depend on the image.")
    map: list[list[float]] = Field(
        description="Rows from top to bottom: the evidence for the label in each of h × w equal parts of the"
        " image, as the network sees it; below 0 it is evidence against the label."
    )
    input_size: int = Field(
        description="Side in pixels of what the network sees, which is the central square of the image."
    )
    top: list[ClassProbability] = Field(description=f"The {TOP} most probable classes.")


_BODY = upload_body("One image as the multipart field `file`, or as the raw body.")
_PNG: dict[str, Any] = {
    "responses": {"200": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}
}


@router.post(
    "/explain",
    summary="Show where the evidence for a class lies",
    response_model=ExplainResponse,
    response_description="The map as JSON, or with `format=png` drawn over the image.",
    responses=documented(400, 404, 408, 413, 415, 422, 429, 501, 503, 504),
    openapi_extra={**_BODY, **_PNG},
)
async def explain(
    request: Request, context: ReadyContext, query: Annotated[ExplainQuery, Query()]
) -> Response:
    """The class activation map: the exact contribution of each part of the image to the logit.

    It exists for networks that end in global average pooling and one linear layer. Others are rejected with
    `no_class_activation`; `class_activation` of `/models/{name}` says so beforehand. It uses the stored
    weights in float32: where `/predict` computes in int8, its probabilities differ a little.
    """
    async with request_scope(request, context, query.model, query.version) as scope:
        _require_class_activation(scope.model)
        _check_label(query.label, scope.model)
        await scope.pytorch()
        prepared = await prepare_images(await read_uploads(request, scope, max_files=1), scope)
        work = partial(_respond, prepared.images[0], scope.model, query)
        return await scope.run(work, "the explanation")


def _require_class_activation(model: ServedModel) -> None:
    if not model.facts.class_activation:
        raise ApiError(
            422,
            "no_class_activation",
            f"{model.metadata.name}: a class activation map needs a network that ends in global average"
            f" pooling and one linear layer, which {model.metadata.architecture} does not",
        )


def _check_label(label: str | None, model: ServedModel) -> None:
    classes = model.metadata.classes
    if label is not None and label not in classes:
        raise invalid_parameter("class", f"there is no class {label!r}; choose from {', '.join(classes)}")


def _respond(image: Pixels, model: ServedModel, query: ExplainQuery) -> Response:
    import torch

    from app.drawing.heat_map import overlay_png

    explaining = model.class_activation
    pixels = torch.from_numpy(image)
    maps = explaining.maps(model.preprocessing.normalize(pixels.unsqueeze(0)))
    logits = explaining.logits(maps)
    probabilities = model.probabilities(logits.numpy())[0]
    classes = model.metadata.classes
    index = int(logits.argmax()) if query.label is None else classes.index(query.label)
    if query.format == "png":
        return Response(overlay_png(pixels, maps[0, index]), media_type="image/png")
    response = ExplainResponse(
        model=model_id(model),
        label=classes[index],
        probability=float(probabilities[index]),
        logit=logits[0, index].item(),
        bias=explaining.bias[index].item(),
        map=maps[0, index].tolist(),
        input_size=model.preprocessing.input_size,
        top=top_classes(probabilities, model),
    )
    return Response(response.model_dump_json(), media_type="application/json")
