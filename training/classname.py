"""Which label a data set's class folder means, in whatever words the data set has."""

import re
import unicodedata
from typing import Final

from schemas.labels import NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM

_PROBLEMS: Final = {
    OTHER_TOMATO_PROBLEM: """
        other tomato problem, other (tomato )?(disease|problem)s?, leaf miner, liriomyza, tuta( absoluta)?,
        mildew, gr[ae]y (leaf )?spot, stemphylium, gr[ae]y (leaf )?mou?ld, white (leaf )?mou?ld,
        black (leaf )?mou?ld, botrytis, sclerotinia, cercospora( leaf mou?ld)?, wilt, fusarium, verticillium,
        flounder, ralstonia, deficien(cy|t), nutrient, nitrogen, phosphorus, potassium, calcium, magnesium,
        chlorosis, anthracnose, canker, speck, pseudomonas, leaf roll, end rot, buckeye, stem rot, root rot,
        fruit rot, southern blight, aphid, white fl(y|ies), thrips, insect (bite|damage|hole),
        (horn|army|fruit|boll)worm, caterpillar, beetle, necrosis, nematode, phytoplasma, big bud, sun (scald|burn),
        herbicide, drought, frost, curly top, (russet|broad) mite, cucumber mosaic, brown rugose, tobrfv,
        potato virus, etch virus, crinkle
    """,
    "spider_mites": r"alternaria mite, (two )?(spotted )?spider mite, \bmites?\b, tetranychus, two spotted spider",
    "bacterial_spot": "bacterial (leaf )?spot, spot bacterial, xanthomonas",
    "early_blight": "early (leaf )?blight, blight early, alternaria( solani)?",
    "late_blight": "late (leaf )?blight, blight late, phytophthora( infestans)?",
    "leaf_mold": "mou?ld, cladosporium, passalora, fulvia",
    "mosaic_virus": r"(tomato |tobacco )?(leaf )?mosaic, \bto ?mv\b, \btmv\b",
    "septoria_leaf_spot": "septoria",
    "target_spot": "target (leaf )?spot, spot target, corynespora",
    "yellow_leaf_curl_virus": r"(yellow )?(leaf )?curl, yellow (leaf )?virus, \bt?y?lcv, virosis",
    "healthy": r"(?<!un)healthy, \bhealt[hy]\b, (?<!ab)normal, no disease, disease free, ^[\d ]*tomato leaf[\d ]*$",
}
"""Label -> what means it, as patterns whose blanks may be missing; words that one has matched are gone for the next."""

_PLANTS: Final = """
    almond apple apricot aubergine avocado background banana barley basil bean bellpepper blackgram blueberry
    brinjal cabbage cacao capsicum carrot cashew cassava cauliflower cherry chile chili chilli chilly citrus
    cocoa coconut coffee corn cotton courgette cucumber cucurbit eggplant fig garlic ginger gourd grape
    grapevine grass groundnut guava jamun kiwi lemon lentil lettuce lime maize mango melon millet mint mustard
    oat okra olive onion orange palm papaya pea peach peanut pear pepper plum pomegranate potato pumpkin radish
    raspberry rice rose rye sorghum soy soya soyabean soybean spinach squash strawberry sugarcane sunflower tea
    tobacco turmeric walnut watermelon weed wheat zucchini
"""


_MEANINGS: Final = {
    label: re.compile("|".join(words.strip().replace(" ", " ?") for words in re.split(r",\s+", patterns)))
    for label, patterns in _PROBLEMS.items()
}
_OTHER_PLANT: Final = re.compile(
    "|".join(rf"\b{plant.replace('rry', 'rr(?:y|ie)')}(?:e?s)?\b" for plant in _PLANTS.split())
)
_CULTIVAR: Final = re.compile(r"\b(?:cherry|grape|pear|plum|tree) ?(?=tomato)")
_VIRUS: Final = re.compile(r"\b(?:cucumber|pepper|potato|tobacco) ?(?=etch|mosaic|mottle|virus)")
_NO_TOMATO: Final = re.compile(r"\b(?:not?|non|without)(?: ?a)? ?(?:tomato|(?:leaf|leaves|plants?)[ \d]*$)")
_NEGATED: Final = re.compile(r"\b(?:not|non|without|no(?! ?disease))\b")
_GENERAL: Final = re.compile(
    r"(?:and|augmented|augmentation|bell|class|classification|collection|color|colour|crop|data|database|dataset"
    r"|detection|disease|diseased|field|folder|for|from|healthy|image|lab|leaf|leave|main|master|non?|not|of|original|pest"
    r"|photo|photograph|picture|plant|raw|set|sweet|test|testing|the|tomato|train|training|val|valid|validation|vegetable"
    r"|with|without|[a-z]|\d+)(?:e?s)?"
)
"""Words that may stand beside the plant's name in a folder above the class folders."""


def label_of(folder: str) -> str | None:
    """The label that a class folder's name means: one of the ten, `not_tomato_leaf` or `other_tomato_problem`.

    Reads the names of PlantVillage and its copies, PlantDoc, TOM2024 and the like. A folder above may name the plant,
    as in `maize/healthy`. None where it says nothing of the kind, or several things.

    >>> label_of("Tomato___Spider_mites Two-spotted_spider_mite")
    'spider_mites'
    >>> label_of("Tomato leaf yellow virus")
    'yellow_leaf_curl_virus'
    >>> label_of("Potato___healthy"), label_of("TOM2024/maize/diseases/Healthy_leaf")
    ('not_tomato_leaf', 'not_tomato_leaf')
    >>> label_of("black leaf mold")
    'other_tomato_problem'
    """
    name, *above = [_words(part) for part in reversed(folder.split("/"))]
    plants = (_plants(name), *(_plants(words) for words in above if _names_plants(words)))
    tomato, other = next((plant for plant in plants if any(plant)), (True, False))
    if tomato and other:
        return None
    return NOT_TOMATO_LEAF if other else _problem(name)


def _words(name: str) -> str:
    """Lower-case ASCII words with a blank between them: the same for `LateBlight`, `late-blight` and `Late__blight`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKD", name))
    return " ".join(re.findall(r"[a-z]+|\d+", spaced.encode("ascii", "ignore").decode().lower()))


def _plants(words: str) -> tuple[bool, bool]:
    """Whether tomato is named, and whether something else is (both: it can't be said)."""
    if _NO_TOMATO.search(words):
        return False, True
    words = _CULTIVAR.sub("", words)
    if _VIRUS.search(words):  # named by the plant it was found on, whatever it is found on now
        return True, "tomato" not in words
    return "tomato" in words, _OTHER_PLANT.search(words) is not None


def _names_plants(words: str) -> bool:
    """Whether a folder's name is about plants and nothing else, unlike `Orange County`."""
    return "tomato" in words or all(_GENERAL.fullmatch(word) or _OTHER_PLANT.fullmatch(word) for word in words.split())


def _problem(words: str) -> str | None:
    found = []
    for label, pattern in _MEANINGS.items():
        if pattern.search(words):
            words = pattern.sub(",", words)
            found.append(label)
    return found[0] if len(found) == 1 and not _NEGATED.search(words) else None
