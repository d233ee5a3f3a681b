// The map of the architecture, alive: both stacks from below to above, the residual stream as the path that runs through,
// the vectors of all tokens at each Add & Norm. Each block is a button that opens it.

import { h, svg, turn } from "./figure.mjs"
import { nameOf, placeOf, streamAfter, sublayers, titleOf } from "./places.mjs"
import { canvasFor, pooled, scaleOf } from "./strips.mjs"

// What a picture of all tokens' vectors looks like: that of the chosen token is taller, the others are pale.
const CHOSEN = 8
const PALE = 0.4
// px. A column holds the sublayers, then the stream; the encoder's is on the left, the decoder's on the right.
const WIDTH = 336
const COLUMNS = { encoder: 0, decoder: 178 }
const GAP = 168 // the memory's way between the two
const BOX = 80
const STREAM = { left: 92, width: 64 }
const ROW = 44
const IMAGE = 26
const KEY =
  "Data flows up. A strip of colour is a token's vector; the chosen token's is bright. ⊕ adds, then normalises."
const HEAD = 13 // above the rows of a layer, with its number
const FOOT = 8

/**
 * The flow of one figure. `open(at)` and `choose(stack, token)` are called when a block or a token is pressed.
 * `draw(passage)` shows another translation, `update({at, token})` what is chosen.
 */
export function flow(open, choose, paint) {
  const tokens = {
    encoder: h("div", { class: "tokens" }),
    decoder: h("div", { class: "tokens" }),
    written: h("div", { class: "tokens" }),
  }
  const scene = h("div", { class: "towers" })
  const names = (text, side) => h("p", { class: `side ${side}` }, text)
  const node = h(
    "section",
    { class: "flow", "aria-label": "The flow of the vectors" },
    h(
      "div",
      { class: "ends" },
      h("p", { class: "quiet key" }, KEY),
      h("div", {}, names("the decoder writes", "decoder"), tokens.written),
    ),
    scene,
    h(
      "div",
      { class: "ends" },
      h("div", {}, names("the encoder reads", "encoder"), tokens.encoder),
      h("div", {}, names("the decoder reads", "decoder"), tokens.decoder),
    ),
  )
  let images = []
  let scale
  let painted = "" // which token's vectors stand out
  let buttons = new Map()
  const chips = { encoder: [], decoder: [], written: [] }

  const draw = passage => {
    const layers = stack =>
      1 +
      Math.max(
        ...Object.keys(passage.tensors).map(name => (name.startsWith(`${stack}.`) ? Number(name.split(".")[2]) : -1)),
      )
    const heights = Object.fromEntries(
      ["encoder", "decoder"].map(stack => [stack, layers(stack) * (sublayers(stack).length * ROW + HEAD) + ROW + FOOT]),
    )
    const height = heights.decoder + ROW
    const back = svg("svg", {
      class: "wires",
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      "aria-hidden": "true",
    })
    scene.style = `height: ${height}px; width: ${WIDTH}px`
    images = []
    buttons = new Map()
    const nodes = []
    const button = (at, label, box, ...children) => {
      const [left, top, width, tall] = box
      const style = `left: ${left}px; top: ${top}px; width: ${width}px; height: ${tall}px`
      const { stack } = placeOf(at)
      const made = h(
        "button",
        { type: "button", class: `block ${stack}`, style, "aria-label": label, onclick: () => open(at) },
        ...children,
      )
      buttons.set(at, made)
      nodes.push(made)
    }
    const image = (stack, at, label, top) => {
      const left = COLUMNS[stack] + STREAM.left
      const vectors = passage.tensors[streamAfter(at)]
      const canvas = canvasFor(STREAM.width, IMAGE)
      const mark = svg("rect", { class: "mark", x: left - 2, width: STREAM.width + 4, height: CHOSEN + 2, rx: 1.5 })
      images.push({ stack, canvas, vectors: vectors.map(vector => pooled(vector, STREAM.width)), mark, top })
      button(at, label, [left, top, STREAM.width, IMAGE], canvas)
    }
    const line = (d, kind) => back.append(svg("path", { class: `wire ${kind}`, d }))
    const crossings = [] // the heights at which the memory enters the decoder
    let out // the height at which it leaves the encoder
    for (const stack of ["encoder", "decoder"]) {
      const x = COLUMNS[stack]
      const middle = x + STREAM.left + STREAM.width / 2
      const side = stack === "encoder" ? "source" : "target"
      let floor = height - FOOT
      const plus = (y, at) => {
        line(`M${x + BOX} ${y}H${middle}`, stack)
        back.append(
          svg("circle", { class: `plus ${stack}`, cx: middle, cy: y, r: 5.5 }),
          svg("path", { class: `wire ${stack}`, d: `M${middle - 3} ${y}h6M${middle} ${y - 3}v6` }),
        )
      }
      line(`M${middle} ${floor - 6}V${height - heights[stack] + 6}`, `${stack} stream`)
      button(`${side}_embedding`, titleOf(`${side}_embedding`), [x, floor - ROW + 4, BOX, 30], "embedding")
      line(`M${x + BOX} ${floor - 18}H${middle}`, stack)
      image(stack, `${side}_positions`, titleOf(`${side}_positions`), floor - ROW + 6)
      floor -= ROW
      for (let layer = 0; layer < layers(stack); layer++) {
        const tall = sublayers(stack).length * ROW + HEAD
        back.prepend(
          svg("rect", { class: "layer", x: x - 1, y: floor - tall + 1, width: 159, height: tall - 3, rx: 4 }),
        )
        back.append(svg("text", { class: "number", x: x + 4, y: floor - tall + 12 }, `layer ${layer + 1}`))
        for (const sublayer of sublayers(stack)) {
          const at = `${stack}.layers.${layer}.${sublayer}`
          const top = floor - ROW
          line(`M${middle} ${floor - 3}H${x + BOX / 2}V${floor - 8}`, stack)
          plus(top + 32, at)
          button(at, titleOf(at), [x + 4, top, BOX - 4, 36], nameOf(stack, sublayer))
          image(stack, `${at}_add_norm`, titleOf(`${at}_add_norm`), top)
          if (sublayer === "cross_attention") crossings.push(top + 18)
          floor -= ROW
        }
        floor -= HEAD
      }
      if (stack === "encoder") {
        out = floor + HEAD + IMAGE / 2
        line(`M${x + STREAM.left + STREAM.width} ${out}H${GAP}`, "encoder memory")
        back.append(svg("text", { class: "number", x: GAP - 4, y: out - 18, "text-anchor": "end" }, "the memory"))
      } else {
        button("output", titleOf("output"), [x, floor - ROW + 10, 158, 26], "linear, softmax")
        line(`M${middle} ${floor + 8}V${floor - 4}`, "decoder stream")
        for (const y of crossings) line(`M${GAP} ${out}V${y}H${x + 3}l-5 -3m5 3l-5 3`, "encoder memory")
      }
    }
    const marks = svg(
      "svg",
      { class: "wires marks", viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, "aria-hidden": "true" },
      ...images.map(({ mark }) => mark),
    )
    scene.replaceChildren(back, ...nodes, marks)
    scale = scaleOf(...images.flatMap(({ vectors }) => vectors))
    painted = ""
    const chip = (kind, stack, ids) => {
      chips[kind] = ids.map((id, token) =>
        h(
          "button",
          { type: "button", class: "token", onclick: () => choose(stack, token) },
          passage.pieces.get(id).trim() || "␣",
        ),
      )
      tokens[kind].replaceChildren(...chips[kind])
    }
    chip("encoder", "encoder", passage.source)
    chip("decoder", "decoder", passage.read)
    chip("written", "decoder", passage.written)
  }
  const picture = ({ stack: side, canvas, vectors, mark, top }, stack, token) => {
    const mine = side === stack
    const row = Math.min(token, vectors.length - 1)
    const rest = mine && vectors.length > 1 ? (IMAGE - CHOSEN) / (vectors.length - 1) : IMAGE / vectors.length
    const rowAt = y => {
      if (!mine) return Math.floor(y / rest)
      if (y < row * rest) return Math.floor(y / rest)
      return y < row * rest + CHOSEN ? row : Math.floor((y - CHOSEN) / rest) + 1
    }
    const cells = new Float32Array(STREAM.width * IMAGE)
    const rows = Array.from({ length: IMAGE }, (_, y) => Math.min(rowAt(y), vectors.length - 1))
    rows.forEach((each, y) => cells.set(vectors[each], y * STREAM.width))
    paint(canvas, cells, scale, cell => (mine && rows[Math.floor(cell / STREAM.width)] === row ? 1 : PALE))
    turn(mark, { y: top + row * rest - 1, visibility: mine ? "visible" : "hidden" })
  }
  const update = ({ at, token }) => {
    const { stack } = placeOf(at)
    if (painted !== `${stack} ${token}`) for (const image of images) picture(image, stack, token)
    painted = `${stack} ${token}`
    for (const [name, each] of buttons) turn(each, { "aria-pressed": name === at })
    for (const [kind, all] of Object.entries(chips)) {
      const mine = (kind === "encoder") === (stack === "encoder")
      all.forEach((each, index) => turn(each, { "aria-pressed": mine && index === token }))
    }
  }
  return { node, draw, update }
}

export const FLOW_LOOK = `
.towers { position: relative }
.wires { left: 0; overflow: visible; position: absolute; top: 0; width: auto }
.marks { pointer-events: none }
.wire { fill: none; stroke: var(--bbb-line); stroke-width: 1.5 }
.wire.encoder, .plus.encoder { stroke: var(--bbb-encoder) }
.wire.decoder, .plus.decoder { stroke: var(--bbb-decoder) }
.wire.stream { stroke-width: 6; stroke-opacity: 0.35 }
.wire.memory { stroke-dasharray: 4 2 }
.plus { fill: var(--bbb-paper); stroke-width: 1.5 }
.layer { fill: var(--bbb-surface); stroke: none }
svg .number { fill: var(--bbb-muted); font-size: 11px }
.mark { fill: none; stroke: var(--bbb-accent); stroke-width: 1.5 }
.block { border-radius: 3px; font-size: 0.6875rem; line-height: 1.05; min-height: 0; padding: 0 2px; position: absolute }
.block.encoder { border-color: var(--bbb-encoder) }
.block.decoder { border-color: var(--bbb-decoder) }
.block[aria-pressed="true"] { background: var(--bbb-highlight); outline: 3px solid var(--bbb-accent); z-index: 1 }
.block canvas { display: block; height: 100%; image-rendering: pixelated; width: 100% }
.block:has(canvas) { border: 0; padding: 0 }
.ends { display: grid; gap: 0 20px; grid-template-columns: 158px 158px }
.flow .key { font-size: 0.75rem; line-height: 1.3; margin: 0.25rem 0 }
.side { font-size: 0.75rem; margin: 0.25rem 0 0 }
.side.encoder { color: var(--bbb-encoder) }
.side.decoder { color: var(--bbb-decoder) }
.tokens { display: flex; flex-wrap: wrap; gap: 2px; max-height: 8rem; overflow: auto }
.token { min-height: 24px; min-width: 24px; overflow-wrap: anywhere; padding: 0 4px; font-size: 0.8125rem }
.token[aria-pressed="true"] { background: var(--bbb-highlight); outline: 2px solid var(--bbb-accent); outline-offset: -1px }
`
