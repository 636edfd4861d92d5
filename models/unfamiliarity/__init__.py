"""How unlike all known images an image is, by what the network makes of it. A new score is one line here."""

from models.unfamiliarity.base import Reference, Score
from models.unfamiliarity.nearest_neighbours import NearestNeighbours
from models.unfamiliarity.neighbours_and_probe import NeighboursAndProbe
from models.unfamiliarity.of_logits import Energy, MaxLogit, MaxSoftmax
from models.unfamiliarity.relative_mahalanobis import RelativeMahalanobis
from models.unfamiliarity.scale import Scale
from models.unfamiliarity.vim import Vim

__all__ = ["SCORES", "Reference", "Score"]

SCORES: dict[str, type[Score]] = {
    "max_softmax": MaxSoftmax,
    "max_logit": MaxLogit,
    "energy": Energy,
    "nearest_neighbours": NearestNeighbours,
    "neighbours_and_probe": NeighboursAndProbe,
    "relative_mahalanobis": RelativeMahalanobis,
    "vim": Vim,
    "scale": Scale,
}
