"""Batch normalisation of averaged weights."""

from typing import Final

import keras

from training.augmentation import Strength
from training.prepared import Prepared
from training.sampling import Sampler

BATCHES: Final = 50
"""With the networks' momentum of 0.93, 3 % of the old statistics remain."""
BATCH: Final = 64


def settle(network: keras.Model, train: Prepared, px: int) -> None:
    """Take means and variances anew from training batches of the served size (Izmailov et al. 2018, arXiv:1803.05407).

    Averages of statistics that belonged to other weights and sizes do not fit the averaged weights: some photographs
    got logits of 1,500 instead of 15, which left int8 ranges without resolution.
    """
    sampler = Sampler(train, seed=1)
    for _ in range(BATCHES):
        network(sampler.batch(BATCH, px, Strength.at(1.0)).images, training=True)
