"""The ten classes, in the order of every model's logits, and what a grower reads for them."""

from typing import Final

DISPLAY_NAMES: Final[dict[str, str]] = {
    "bacterial_spot": "Bacterial spot",
    "early_blight": "Early blight",
    "healthy": "Healthy",
    "late_blight": "Late blight",
    "leaf_mold": "Leaf mold",
    "mosaic_virus": "Tomato mosaic virus",
    "septoria_leaf_spot": "Septoria leaf spot",
    "spider_mites": "Spider mites (two-spotted spider mite)",
    "target_spot": "Target spot",
    "yellow_leaf_curl_virus": "Tomato yellow leaf curl virus",
}

LABELS: Final[tuple[str, ...]] = tuple(DISPLAY_NAMES)

NONE_OF_THE_TEN: Final = "A tomato leaf, but none of the ten problems that this model knows"
"""What is read where a model finds `OTHER_TOMATO_PROBLEM`."""
NOT_TOMATO_LEAF: Final = "not_tomato_leaf"

OTHER_TOMATO_PROBLEM: Final = "other_tomato_problem"
"""A tomato leaf with something that is none of the ten."""

OUTPUTS: Final[tuple[str, ...]] = (*LABELS, OTHER_TOMATO_PROBLEM)
"""What the logits of models from version 6 on stand for; earlier ones know the ten only."""
