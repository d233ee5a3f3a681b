// The map of the architecture, drawn: two stacks from below to above, each with its residual stream, and the memory's way
// from one to the other. Each block is a button.

import { h, svg } from "./figure.mjs"
import { layersOf, nameOf, placeOf, streamAfter, sublayers, titleOf } from "./places.mjs"
import { canvasFor } from "./strips.mjs"

// px. A column holds the sublayers, then the stream; the encoder's is on the left, the decoder's on the right.
const WIDTH = 336
const COLUMNS = { encoder: 0, decoder: 178 }
const GAP = 168 // the memory's way between the two
const COLUMN = 152
const LOOP = 335 // what is written comes back beside the decoder
const BOX = 80
const LEFT = 86 // of the stream in its column
export const CELLS = 64 // of a vector in a picture, one px each
export const IMAGE = 26 // the height of a picture
const ROW = 44
const HEAD = 13 // above the rows of a layer, with its number
const FOOT = 8

/**
 * Both stacks of a passage, drawn once. `open(at)` is called when a block is pressed.
 *
 * Returns {nodes, height, width, images, buttons, pluses, ways}: `images` are the pictures of the stream, {stack, vectors,
 * canvas, left, top}; `buttons` and `pluses` map a place to its button and to its circled plus, `ways` to the way on which
 * the memory comes to it.
 */
export function towers(passage, open) {
  const tall = stack => layersOf(passage, stack) * (sublayers(stack).length * ROW + HEAD) + ROW + FOOT
  const height = tall("decoder") + ROW
  const scene = { passage, open, height, back: [], nodes: [], images: [], buttons: new Map(), pluses: new Map() }
  const out = height - tall("encoder") + HEAD + IMAGE / 2
  const crossings = ["encoder", "decoder"].flatMap(stack => stackColumn(scene, stack, height - tall(stack)))
  const end = COLUMNS.encoder + LEFT + CELLS
  line(scene, `M${end} ${out}H${GAP}`, "encoder memory")
  const ways = new Map(
    crossings.map(([at, y]) => [
      at,
      line(scene, `M${GAP} ${out}V${y}H${COLUMNS.decoder + 3}l-5 -3m5 3l-5 3`, "encoder memory"),
    ]),
  )
  line(scene, `M${LOOP} 0V${height}`, "decoder loop")
  scene.back.push(svg("text", { class: "number", x: GAP - 4, y: out - 18, "text-anchor": "end" }, "the memory"))
  const { images, buttons, pluses } = scene
  return { nodes: [wires(height, "wires", scene.back), ...scene.nodes], height, width: WIDTH, images, buttons, pluses, ways }
}

/** A layer of drawing over the whole scene. */
export function wires(height, kind, children) {
  const size = { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, "aria-hidden": "true" }
  return svg("svg", { class: kind, ...size }, ...children)
}

/** One stack, from its foot to its ceiling. Returns each place at which the memory enters, with its height. */
function stackColumn(scene, stack, ceiling) {
  const x = COLUMNS[stack]
  const middle = x + LEFT + CELLS / 2
  const side = stack === "encoder" ? "source" : "target"
  const crossings = []
  let floor = scene.height - FOOT
  line(scene, `M${middle} ${floor - 6}V${ceiling + (stack === "encoder" ? 6 : -4)}`, `${stack} stream`)
  block(scene, `${side}_embedding`, [x, floor - ROW + 4, BOX, 30], "embedding")
  line(scene, `M${x + BOX} ${floor - 18}H${middle}`, stack)
  picture(scene, `${side}_positions`, x + LEFT, floor - ROW + 6)
  floor -= ROW
  for (let layer = 0; layer < layersOf(scene.passage, stack); layer++) {
    const deep = sublayers(stack).length * ROW + HEAD
    const ground = { class: "layer", x: x - 1, y: floor - deep + 1, width: COLUMN + 1, height: deep - 3, rx: 4 }
    scene.back.unshift(svg("rect", ground))
    scene.back.push(svg("text", { class: "number", x: x + 4, y: floor - deep + 11 }, `layer ${layer + 1}`))
    for (const sublayer of sublayers(stack)) {
      const at = `${stack}.layers.${layer}.${sublayer}`
      const top = floor - ROW
      line(scene, `M${middle} ${floor - 3}H${x + BOX / 2}V${floor - 8}`, stack)
      plus(scene, `${at}_add_norm`, x + BOX, middle, top + 32)
      block(scene, at, [x + 4, top, BOX - 4, 36], nameOf(stack, sublayer))
      picture(scene, `${at}_add_norm`, x + LEFT, top)
      if (sublayer === "cross_attention") crossings.push([at, top + 18])
      floor -= ROW
    }
    floor -= HEAD
  }
  if (stack === "decoder") block(scene, "output", [x, floor - ROW + 10, COLUMN, 26], "linear and softmax")
  return crossings
}

function line(scene, d, kind) {
  const path = svg("path", { class: `wire ${kind}`, d })
  scene.back.push(path)
  return path
}

/** What a sublayer hands over comes to the stream and is added to it. */
function plus(scene, at, from, x, y) {
  const { stack } = placeOf(at)
  line(scene, `M${from} ${y}H${x}`, stack)
  const circle = svg("circle", { class: `plus ${stack}`, cx: x, cy: y, r: 5.5 })
  scene.pluses.set(at, circle)
  scene.back.push(circle)
  line(scene, `M${x - 3} ${y}h6M${x} ${y - 3}v6`, stack)
}

function block(scene, at, [left, top, width, tall], ...children) {
  const style = `left: ${left}px; top: ${top}px; width: ${width}px; height: ${tall}px`
  const attributes = { type: "button", class: `block ${placeOf(at).stack}`, style, "aria-label": titleOf(at) }
  const button = h("button", { ...attributes, onclick: () => scene.open(at) }, ...children)
  scene.buttons.set(at, button)
  scene.nodes.push(button)
}

function picture(scene, at, left, top) {
  const canvas = canvasFor(CELLS, IMAGE)
  scene.images.push({ stack: placeOf(at).stack, vectors: scene.passage.tensors[streamAfter(at)], canvas, left, top })
  block(scene, at, [left, top, CELLS, IMAGE], canvas)
}

export const TOWERS_LOOK = `
.towers { contain: layout; position: relative }
.wires { left: 0; overflow: visible; position: absolute; top: 0; width: auto }
.marks { pointer-events: none }
.wire { fill: none; stroke: var(--bbb-line); stroke-width: 1.5 }
.wire.encoder, .plus.encoder { stroke: var(--bbb-encoder) }
.wire.decoder, .plus.decoder { stroke: var(--bbb-decoder) }
.wire.stream { stroke-width: 6; stroke-opacity: 0.35 }
.wire.memory { stroke-dasharray: 4 2 }
.wire.memory[aria-current="true"] { stroke-width: 3.5 }
.plus { fill: var(--bbb-paper); stroke-width: 1.5 }
.plus[aria-current="true"] { fill: var(--bbb-highlight); stroke: var(--bbb-accent); stroke-width: 4 }
.layer { fill: var(--bbb-surface); stroke: none }
svg .number { fill: var(--bbb-muted); font-size: 11px }
.block { border-radius: 3px; font-size: 0.6875rem; line-height: 1.05; min-height: 0; padding: 0 2px; position: absolute }
.block.encoder { border-color: var(--bbb-encoder) }
.block.decoder { border-color: var(--bbb-decoder) }
.block[aria-pressed="true"] { background: var(--bbb-highlight); outline: 3px solid var(--bbb-accent); z-index: 1 }
.block canvas { display: block; height: 100%; image-rendering: pixelated; width: 100% }
.block:has(canvas) { border: 0; padding: 0 }
`
