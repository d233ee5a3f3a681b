// The places of the model at which a figure can be opened, by the package's names, and what each is called.

const SUBLAYERS = {
  self_attention: ["self-attention", { encoder: 8, decoder: 9 }],
  cross_attention: ["encoder-decoder attention", { decoder: 10 }],
  feed_forward: ["feed-forward", { encoder: 7, decoder: 7 }],
}
export const STEPS = [
  ["projections", "q, k, v", 1],
  ["scores", "scores", 2],
  ["sum", "weighted sum", 2],
  ["concat", "concat, linear", 3],
]

/** What `at` names: {stack, layer, part, norm}; null if it names nothing. `layer` counts from 0. */
export function placeOf(at) {
  if (at === "output") return { stack: "decoder", part: at }
  const [, side, part] = /^(source|target)_(embedding|positions)$/.exec(at) ?? []
  if (side) return { stack: side === "source" ? "encoder" : "decoder", part, side }
  const [, stack, layer, sublayer, norm] =
    /^(encoder|decoder)\.layers\.(\d+)\.(self_attention|cross_attention|feed_forward)(_add_norm)?$/.exec(at) ?? []
  return stack ? { stack, layer: Number(layer), part: sublayer, norm: Boolean(norm) } : null
}

/** How many layers a stack has. */
export function layersOf(passage, stack) {
  let layers = 0
  while (passage.tensors[`${stack}.layers.${layers}.feed_forward_add_norm`]) layers++
  return layers
}

/** The sublayers of a layer, in order. */
export function sublayers(stack) {
  return stack === "encoder"
    ? ["self_attention", "feed_forward"]
    : ["self_attention", "cross_attention", "feed_forward"]
}

/** The name of a sublayer as the book writes it. */
export function nameOf(stack, sublayer) {
  return (stack === "decoder" && sublayer === "self_attention" ? "masked " : "") + SUBLAYERS[sublayer][0]
}

/** The name of a place, as a heading. */
export function titleOf(at) {
  const { stack, layer, part, norm, side } = placeOf(at)
  if (part === "output") return "Linear and softmax"
  if (part === "embedding") return side === "source" ? "Input embedding" : "Output embedding"
  if (part === "positions") return `Positional encoding of the ${side === "source" ? "input" : "output"}`
  const name = norm ? `Add & Norm after ${nameOf(stack, part)}` : nameOf(stack, part)
  return `${stack[0].toUpperCase()}${stack.slice(1)}, layer ${layer + 1}: ${name}`
}

/** The chapter that builds what stands at a place. */
export function chapterOf(at, step) {
  const { stack, part, norm } = placeOf(at)
  if (part === "output") return 12
  if (part === "embedding") return stack === "encoder" ? 4 : 9
  if (part === "positions") return 5
  if (norm) return 6
  if (part === "feed_forward" || part === "cross_attention") return SUBLAYERS[part][1][stack]
  if (stack === "decoder" && step === "scores") return 9
  return STEPS.find(([name]) => name === step)[2]
}

/** The name of the vectors that the residual stream carries after a place. */
export function streamAfter(at) {
  const { stack, layer, part, side } = placeOf(at)
  if (part === "output") return null
  if (side) return `${side}_positions`
  return `${stack}.layers.${layer}.${part}_add_norm`
}

/** The name of the vectors that a sublayer reads: what the residual stream carries before it. */
export function streamBefore(stack, layer, sublayer) {
  const order = sublayers(stack)
  const index = order.indexOf(sublayer)
  if (index > 0) return `${stack}.layers.${layer}.${order[index - 1]}_add_norm`
  if (layer > 0) return `${stack}.layers.${layer - 1}.feed_forward_add_norm`
  return stack === "encoder" ? "source_positions" : "target_positions"
}
