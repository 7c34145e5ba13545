// What a grower reads about each label: what it is, and what helps without a sprayer. Names as in schemas/labels.py.

export const DISEASES = {
  bacterial_spot: {
    name: "Bacterial spot",
    about: "Bacteria (Xanthomonas) cause small dark spots, often with a yellow rim; leaves may yellow and drop. Warm, wet weather and splashing water spread it; it also comes with seed.",
    steps: ["Do not work among wet plants.", "Water at the base, not over the leaves.", "Take off the worst leaves, remove them from the field and clean your tools.", "There is no cure for an infected plant: start the next crop from clean seed and rotate."],
  },
  early_blight: {
    name: "Early blight",
    about: "A fungus (Alternaria) makes brown spots with rings like a target, on the oldest, lowest leaves first.",
    steps: ["Take off the affected lower leaves and remove them from the field.", "Mulch the soil and water at the base, so that spores do not splash up.", "Give plants room to dry, and rotate away from tomato and potato for two years or more."],
  },
  healthy: {
    name: "Healthy",
    about: "The leaf shows none of the nine problems this model knows. That does not rule out an infection that has just begun, a lack of nutrients, or trouble at the roots.",
    steps: ["Look again in a few days, undersides too.", "If the plant looks unwell, photograph another leaf, or ask someone who can see the whole plant."],
  },
  late_blight: {
    name: "Late blight",
    about: "A water mould (Phytophthora infestans) makes large, greasy, grey-green to brown patches, sometimes with white fuzz below. In cool, wet weather it can destroy a field within days, and it spreads to neighbours' tomatoes and potatoes.",
    steps: ["Act today: have it confirmed, and warn your neighbours.", "Remove affected plants, in closed bags or buried deep; do not compost them.", "Keep the leaves of the others dry, and check them every day."],
  },
  leaf_mold: {
    name: "Leaf mold",
    about: "A fungus (Passalora fulva) makes pale yellow patches above and an olive-grey velvet below. It needs damp, still air, so it is mostly a disease of greenhouses and tunnels.",
    steps: ["Air the house and bring the humidity down.", "Give plants room, and take off the lowest leaves.", "Water at the base, early in the day.", "Choose resistant varieties next time."],
  },
  mosaic_virus: {
    name: "Tomato mosaic virus",
    about: "A virus mottles the leaves in light and dark green and can narrow or twist them. It travels with sap, on hands, tools and seed.",
    steps: ["There is no cure: remove the plant, roots too.", "Wash hands and tools with soap before you touch the next plant.", "Do not save seed from it; choose resistant varieties next time."],
  },
  septoria_leaf_spot: {
    name: "Septoria leaf spot",
    about: "A fungus (Septoria lycopersici) makes many small, round spots with a grey centre and a dark rim, often with tiny black dots inside. It starts on the lower leaves in wet weather.",
    steps: ["Take off the affected lower leaves and remove them from the field.", "Mulch the soil and water at the base.", "Clear away tomato remains after harvest, and rotate."],
  },
  spider_mites: {
    name: "Spider mites (two-spotted spider mite)",
    about: "Not a disease but tiny mites that suck on the underside. The leaf is stippled with pale dots and turns dull or bronze; fine webs may follow. They thrive in heat and drought.",
    steps: ["Look at the underside with a magnifying glass.", "Wash undersides with a firm jet of water, repeatedly.", "Keep plants watered and paths free of dust.", "Avoid broad insecticides: they kill the mites' enemies and often make it worse."],
  },
  target_spot: {
    name: "Target spot",
    about: "A fungus (Corynespora cassiicola) makes brown spots that grow faint rings. It likes warm, humid weather and is easily mistaken for early blight or bacterial spot.",
    steps: ["Take off affected leaves and remove them from the field.", "Give plants room to dry; water at the base.", "Clear away plant remains after harvest, and rotate."],
  },
  yellow_leaf_curl_virus: {
    name: "Tomato yellow leaf curl virus",
    about: "A virus carried by whiteflies. Young leaves stay small, curl upwards and yellow at the edges; the plant stops growing and sets little fruit.",
    steps: ["There is no cure: remove infected plants early.", "Keep whiteflies off: fine nets, yellow sticky traps to watch them, no weeds around.", "Choose resistant varieties next time."],
  },
};
