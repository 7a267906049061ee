"""Train, test and use models of clusters; a model is data, and using one needs NumPy only.

>>> from mcdetect.training import ClusterModel
>>> model = ClusterModel.load("model.json")  # doctest: +SKIP
>>> model.apply(result.clusters)["probability"]  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "ClusterModel": "mcdetect.models.cluster_model",
    "Examples": "mcdetect.training.tables",
    "MissingSklearnError": "mcdetect.training.fitting",
    "Training": "mcdetect.training.learning",
    "TrainingError": "mcdetect.training.crossval",
    "join_changes": "mcdetect.training.joins",
    "join_labels": "mcdetect.training.tables",
    "label_dataset": "mcdetect.training.places",
    "label_regions": "mcdetect.training.places",
    "label_units": "mcdetect.training.tables",
    "read_clusters": "mcdetect.training.tables",
    "read_covariates": "mcdetect.training.joins",
    "read_labels": "mcdetect.training.tables",
    "save": "mcdetect.training.report",
    "train": "mcdetect.training.learning",
    "train_files": "mcdetect.training.files",
}

__all__ = sorted(_PUBLIC)

if TYPE_CHECKING:
    from mcdetect.models.cluster_model import ClusterModel as ClusterModel
    from mcdetect.training.crossval import TrainingError as TrainingError
    from mcdetect.training.files import train_files as train_files
    from mcdetect.training.fitting import MissingSklearnError as MissingSklearnError
    from mcdetect.training.joins import join_changes as join_changes
    from mcdetect.training.joins import read_covariates as read_covariates
    from mcdetect.training.learning import Training as Training
    from mcdetect.training.learning import train as train
    from mcdetect.training.places import label_dataset as label_dataset
    from mcdetect.training.places import label_regions as label_regions
    from mcdetect.training.report import save as save
    from mcdetect.training.tables import Examples as Examples
    from mcdetect.training.tables import join_labels as join_labels
    from mcdetect.training.tables import label_units as label_units
    from mcdetect.training.tables import read_clusters as read_clusters
    from mcdetect.training.tables import read_labels as read_labels


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: a model alone needs neither pandas nor scikit-learn."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mcdetect.training' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value
