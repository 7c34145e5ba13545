import pytest

from schemas.labels import LABELS, NOT_TOMATO_LEAF
from training.classname import OTHER_TOMATO_PROBLEM, label_of

NAMES = {
    "bacterial_spot": [
        "Tomato_Bacterial_spot", "Tomato leaf bacterial spot", "Tomato with Bacterial Spot", "Xanthomonas",
    ],
    "early_blight": [
        "Tomato Early blight leaf", "TomatoEarlyBlight", "tomato_diseases_alternaria_d", "Early-Blight (300)",
    ],
    "healthy": [
        "Tomato leaf", "Tomato_healthy", "HEALTHY", "healthy leaf", "tomato_diseases_healthy_leaf", "health",
        "Cherry tomato healthy",
    ],
    "late_blight": [
        "Tomato___Late_blight", "Tomato leaf late blight", "lateblight", "01. Late blight", "Late_Blight_2",
    ],
    "leaf_mold": [
        "Tomato mold leaf", "Leaf Mould", "Tomato___Leaf_Mold", "Cladosporium",
    ],
    "mosaic_virus": [
        "Tomato leaf mosaic virus", "Tomato__Tomato_mosaic_virus", "ToMV", "tomato tobacco mosaic virus",
        "Mosaic",
    ],
    "septoria_leaf_spot": [
        "Tomato Septoria leaf spot", "Septoria",
    ],
    "spider_mites": [
        "Tomato two spotted spider mites leaf", "Tomato___Spider_mites Two-spotted_spider_mite",
        "red spider mite", "tomato_diseases_Mite_d", "alternaria_mite_d", "Mites",
    ],
    "target_spot": [
        "Tomato__Target_Spot", "TargetSpot", "Corynespora",
    ],
    "yellow_leaf_curl_virus": [
        "Tomato leaf yellow virus", "Tomato__Tomato_YellowLeaf__Curl_Virus", "Tomato_Yellow_Leaf_Curl_Virus",
        "TYLCV", "leaf curl", "tomato_diseases_virosis_d", "tomatoyellowleafcurlvirus", "Curl Virus",
    ],
    NOT_TOMATO_LEAF: [
        "Potato___healthy", "Pepper__bell___Bacterial_spot", "Bell_pepper leaf spot", "Corn rust leaf",
        "Soyabean leaf", "Soybean leaf", "grape leaf black rot", "Squash Powdery mildew leaf", "Cherry leaf",
        "Apple Scab Leaf", "Bell_pepper leaf", "Potato leaf early blight", "Corn Gray leaf spot",
        "maize_diseases_Rust-D", "onion_diseases_Virosis-D", "Background_without_leaves", "Not tomato",
        "non-tomato", "No leaf", "nottomato", "Cherries", "Orange___Haunglongbing_(Citrus_greening)",
    ],
    OTHER_TOMATO_PROBLEM: [
        "Tomato_Leaf_Miner", "Powdery mildew", "Tomato_powdery_mildew", "gray leaf spot", "Grey Leaf Spot",
        "Black leaf mold", "Fusarium wilt", "Tomato Spotted Wilt Virus",
        "tomato_diseases_Bacterial_floundering_d", "Tomato bacterial wilt", "tomato_pests_tuta_absoluta_p",
        "Magnesium deficiency", "Tomato Nitrogen Deficiency", "Bacterial canker", "Grey mould",
        "tomato cucumber mosaic virus", "Verticillium", "Cercospora leaf mold",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "label"), [(name, label) for label, names in NAMES.items() for name in [label, *names]]
)
def test_class_folders_are_understood_however_they_are_spelt(name: str, label: str) -> None:
    for spelling in (name, name.upper(), name.replace(" ", "_"), name.replace("_", " "), f"{name}-3"):
        assert label_of(spelling) == label


def test_every_label_has_names() -> None:
    assert list(NAMES) == [*LABELS, NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM]


@pytest.mark.parametrize(
    "name",
    [
        "holiday", "", "...", "Tomato", "Tomato leaf spot", "Blight", "unhealthy", "not late blight", "abnormal",
        "late_blight_and_early_blight", "healthy or leaf mold", "tomato and potato healthy", "Cucumber mosaic virus",
    ],
)  # fmt: skip
def test_a_name_that_means_nothing_or_several_things_is_no_label(name: str) -> None:
    assert label_of(name) is None


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("maize/diseases/Healthy_leaf", NOT_TOMATO_LEAF),
        ("Data set (potato)/train/early_blight", NOT_TOMATO_LEAF),
        ("Potato/mystery", NOT_TOMATO_LEAF),
        ("not_tomato_leaf/street", NOT_TOMATO_LEAF),
        ("potato/Tomato_healthy", "healthy"),
        ("vegetables with potato/tomato/healthy", "healthy"),
        ("Mango (P0)/healthy", NOT_TOMATO_LEAF),
        ("Maize Leaf Disease Detection/train/Leaf_Blight", NOT_TOMATO_LEAF),
        ("Orange County field 7/healthy", "healthy"),
        ("tomato and potato leaves/healthy", None),
        ("tomato/train/holiday", None),
    ],
)
def test_a_folder_above_names_the_plant_where_the_class_folder_does_not(folder: str, label: str | None) -> None:
    assert label_of(folder) == label
