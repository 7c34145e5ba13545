// A result in plain words.

export function percent(probability) {
  if (probability > 0.99) return "over 99 %";
  if (probability < 0.01) return "under 1 %";
  return `${Math.round(100 * probability)} %`;
}

// tone: fine | sick | unsure | other; `sure`: text beside the bar, null where a percentage would mislead.
export function verdict(result) {
  const share = percent(result.confidence);
  switch (result.verdict) {
    case "not_tomato_leaf":
      return {
        tone: "other",
        title: "This does not look like a tomato leaf",
        lead: "So no disease is named. If it is one, photograph a single leaf from closer, with little else in the picture.",
        sure: null,
      };
    case "other_tomato_problem":
      return {
        tone: "other",
        title: "A tomato leaf, but none of the ten that this model knows",
        lead: "It seems to have another problem, such as a lack of nutrients, another disease or an insect. Show it to someone who can see the plant.",
        sure: null,
      };
    case "likely":
      return result.label === "healthy"
        ? { tone: "fine", title: "Probably healthy", lead: "No clear sign of the nine diseases and pests this model knows. Look again in a few days.", sure: `${share} sure` }
        : {
            tone: "unsure",
            title: `Probably ${lowerCase(result.display_name)}`,
            lead: "About nine of ten such answers are right. Compare the alternatives below and look at several leaves before you remove plants.",
            sure: `${share} sure`,
          };
    case "uncertain":
      return {
        tone: "unsure",
        title: "Not sure",
        lead: `It resembles ${result.display_name} most, but not clearly enough to say so. A sharper, closer photograph in daylight, or another leaf, may settle it.`,
        sure: `only ${share} for the likeliest`,
      };
    default:
      return result.label === "healthy"
        ? { tone: "fine", title: result.display_name, lead: "No sign of the nine diseases and pests this model knows.", sure: `${share} sure` }
        : { tone: "sick", title: result.display_name, lead: "This is what the leaf resembles most.", sure: `${share} sure` };
  }
}

// "Late blight" -> "late blight", inside a sentence.
function lowerCase(name) {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

export function smallPrint(result) {
  const took = (new Date(result.done_at) - new Date(result.queued_at)) / 1000;
  return [
    `Model ${result.model}@${result.version}`,
    result.experiment && result.arm ? `experiment ${result.experiment}, arm ${result.arm}` : null,
    Number.isFinite(took) && took >= 0 ? `answered in ${took.toFixed(1)} s` : null,
  ]
    .filter(Boolean)
    .join(" · ");
}
