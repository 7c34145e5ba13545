"""Post-training quantisation to int8."""

from typing import Any, Final

import nncf
import numpy as np
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from numpy.typing import NDArray

FLOAT_PARTS: Final = nncf.IgnoredScope(
    patterns=[".*evidence.*", ".*logits.*", ".*pooled.*", ".*gate.*", ".*features.*"], validate=False
)
"""The head: it costs next to nothing, and so keeps the class activation map exact and the logits unrounded."""


def quantise(model: Any, images: NDArray[np.uint8], *, batch: int = 1) -> Any:
    """Quantise weights and activations of an OpenVINO model, its ranges taken from images [N, px, px, 3].

    MIXED preset (asymmetric activations: swish has a negative tail) with fast bias correction; ranges that cost the
    least error over an activation's histogram, since the extremes of a few hundred pictures are outliers.
    """
    batches = [images[start : start + batch] for start in range(0, len(images), batch)]
    return nncf.quantize(
        model,
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
        ignored_scope=FLOAT_PARTS,
        advanced_parameters=AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM
        ),
    )
