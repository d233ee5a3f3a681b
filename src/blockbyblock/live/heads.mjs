// Every head of a real translation: choose one, and read what looks at what.

import { attentionMaps, MAPS_LOOK } from "./attention_maps.mjs"
import { figure, h, hint } from "./figure.mjs"

function build(model) {
  const maps = attentionMaps(model)
  const nodes = [
    hint("go from head to head. Which looks one piece back, which at the word it is about to write?"),
    h("p", {}, h("span", { lang: "en" }, model.get("sentence")), " → ", h("span", { lang: "de" }, model.get("translation"))),
    maps.node,
  ]
  return { nodes, update: () => maps.update(model.get("maps")) }
}

export default figure({ name: "bbb-heads", watch: ["kind", "layer", "head", "cell"], look: MAPS_LOOK, build })
