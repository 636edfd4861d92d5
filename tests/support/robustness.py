"""Made-up figures of robustness for any artifact, every condition with others, so that none is mistaken."""

from models.artifact.metadata import ModelMetadata
from models.artifact.robustness import Condition, Figures, Robustness
from training.evaluation.conditions import CONDITIONS
from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES


def made_up(metadata: ModelMetadata) -> Robustness:
    """In float32, and in int8 where the artifact has it, where all is a little worse.

    No share lies half-way between two tenths of a percent, which languages round differently.
    """
    precisions = ["float32", *(["int8"] if metadata.int8 else [])]
    happened = [("corruption", name, str(severity)) for name in CORRUPTIONS for severity in SEVERITIES]
    happened += [(each.group, each.name, each.level) for each in CONDITIONS]
    conditions = [
        Condition.model_validate(
            {
                "group": group,
                "name": name,
                "level": level,
                "figures": {
                    precision: Figures(
                        accuracy=0.90001 - 0.0047 * number - 0.001 * worse, changed=0.05001 + 0.0047 * number
                    )
                    for worse, precision in enumerate(precisions)
                },
            }
        )
        for number, (group, name, level) in enumerate(happened)
    ]
    corrupted = [each for each in conditions if each.group == "corruption"]
    return Robustness(
        name=metadata.name,
        version=metadata.version,
        tensors_sha256=metadata.tensors_sha256,
        data=metadata.dataset.name,
        images=1234,
        seed=0,
        clean=dict(zip(precisions, (0.95, 0.949), strict=False)),
        mean_corrupted={
            precision: sum(each.figures[precision].accuracy for each in corrupted) / len(corrupted)
            for precision in precisions
        },
        conditions=conditions,
    )
