// Every head of a real translation: choose one, and read what looks at what.

import { attentionMaps, MAPS_LOOK } from "./attention_maps.mjs"
import { figure, h, hint } from "./figure.mjs"

function build(model) {
  const maps = attentionMaps(model)
  const nodes = [
    hint("go to layer 1. Here, in the last, most heads look at the word that is written next."),
    h("p", {}, h("span", { lang: "en" }, model.get("sentence")), " → ", h("span", { lang: "de" }, model.get("translation"))),
    maps.node,
  ]
  return { nodes, update: () => maps.update(model.get("maps")) }
}

export default figure({ name: "bbb-heads", watch: ["kind", "layer", "head", "cell"], look: MAPS_LOOK, build })
