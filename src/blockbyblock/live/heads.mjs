// Every head of a real translation: choose one, and read what looks at what.

import { attentionMaps, MAPS_LOOK } from "./attention_maps.mjs"
import { figure, h, hint } from "./figure.mjs"

function build(model) {
  const maps = attentionMaps(model)
  const nodes = [
    hint("go up to layer 1. Here, in the last one, most heads look at the word that is about to be written; there hardly any does."),
    h("p", {}, h("span", { lang: "en" }, model.get("sentence")), " → ", h("span", { lang: "de" }, model.get("translation"))),
    maps.node,
  ]
  return { nodes, update: () => maps.update(model.get("maps")) }
}

export default figure({ name: "bbb-heads", watch: ["kind", "layer", "head", "cell"], look: MAPS_LOOK, build })
