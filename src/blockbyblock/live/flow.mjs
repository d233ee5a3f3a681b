// The map of the architecture, alive: the tokens below and above it, the vectors of all tokens at each place of the
// residual stream, and what is chosen, lit everywhere.

import { h, svg, turn, visible } from "./figure.mjs"
import { placeOf } from "./places.mjs"
import { pooled, scaleOf } from "./strips.mjs"
import { CELLS, IMAGE, towers, TOWERS_LOOK, wires } from "./towers.mjs"

// In a picture of all tokens' vectors that of the chosen token is taller, and the others are pale.
const CHOSEN = 8
const PALE = 0.4
const KEY =
  "Read from below: tokens become vectors, the encoder makes the memory, the decoder writes a token and reads it next. " +
  "A strip of colour is a vector; the chosen token's is bright. ⊕ adds, then normalises."

/**
 * The flow of one figure. `open(at)` and `choose(stack, token)` are called when a block or a token is pressed.
 *
 * `draw(passage)` shows another translation. `update({at, token, looks, followed})` shows what is chosen: `looks` is
 * {row, weights}, where the chosen head looks in one of the rows of tokens, or null; `followed` is {encoder, written},
 * the tokens of the walk, or null.
 */
export function flow(open, choose, paint) {
  const rows = Object.fromEntries(["encoder", "decoder", "written"].map(row => [row, h("div", { class: "tokens" })]))
  const chips = {}
  const scene = h("div", { class: "towers" })
  const end = (words, stack, row) => h("div", { class: `end ${row}` }, h("p", { class: `side ${stack}` }, words), rows[row])
  const node = h(
    "section",
    { class: "flow", "aria-label": "The flow of the vectors" },
    h("div", { class: "ends" }, h("p", { class: "quiet key" }, KEY), end("the decoder writes", "decoder", "written")),
    scene,
    h(
      "div",
      { class: "ends" },
      end("the encoder reads", "encoder", "encoder"),
      end("the decoder reads what it has written", "decoder", "decoder"),
    ),
  )
  let drawn
  let pictures = []
  let painted = "" // which token's vectors stand out

  const draw = passage => {
    drawn = towers(passage, open)
    pictures = drawn.images.map(({ stack, vectors, canvas, left, top }) => {
      const mark = svg("rect", { class: "mark", x: left - 2, width: CELLS + 4, height: CHOSEN + 2, rx: 1.5 })
      return { stack, canvas, top, mark, vectors: vectors.map(vector => pooled(vector, CELLS)) }
    })
    scene.style = `height: ${drawn.height}px; width: ${drawn.width}px`
    scene.replaceChildren(
      ...drawn.nodes,
      wires(
        drawn.height,
        "wires marks",
        pictures.map(({ mark }) => mark),
      ),
    )
    drawn.scale = scaleOf(...pictures.flatMap(({ vectors }) => vectors))
    painted = ""
    for (const [row, stack, ids, which] of [
      ["encoder", "encoder", passage.source, "of the source"],
      ["decoder", "decoder", passage.read, "that is read"],
      ["written", "decoder", passage.written, "that is written"],
    ]) {
      chips[row] = ids.map((id, token) => {
        const text = visible(passage.pieces.get(id))
        const label = `${text}, token ${token + 1} ${which}` // a word may be there twice
        return h(
          "button",
          { type: "button", class: "token", "aria-label": label, onclick: () => choose(stack, token) },
          text,
        )
      })
      rows[row].replaceChildren(...chips[row])
    }
  }
  const picture = ({ stack: side, canvas, vectors, mark, top }, stack, token) => {
    const mine = side === stack
    const row = Math.min(token, vectors.length - 1)
    const rest = mine && vectors.length > 1 ? (IMAGE - CHOSEN) / (vectors.length - 1) : IMAGE / vectors.length
    const rowAt = y => {
      if (!mine || y < row * rest) return Math.floor(y / rest)
      return y < row * rest + CHOSEN ? row : Math.floor((y - CHOSEN) / rest) + 1
    }
    const lines = Array.from({ length: IMAGE }, (_, y) => Math.min(rowAt(y), vectors.length - 1))
    const cells = new Float32Array(CELLS * IMAGE)
    lines.forEach((line, y) => cells.set(vectors[line], y * CELLS))
    paint(canvas, cells, drawn.scale, cell => (mine && lines[Math.floor(cell / CELLS)] === row ? 1 : PALE))
    turn(mark, { y: top + row * rest - 1, visibility: mine ? "visible" : "hidden" })
  }
  const update = ({ at, token, looks, followed }) => {
    const { stack } = placeOf(at)
    if (painted !== `${stack} ${token}`) for (const each of pictures) picture(each, stack, token)
    painted = `${stack} ${token}`
    for (const [name, each] of drawn.buttons) turn(each, { "aria-pressed": name === at })
    for (const parts of [drawn.pluses, drawn.ways])
      for (const [name, each] of parts) turn(each, { "aria-current": name === at })
    node.classList.toggle("fed", at === "output" || at === "target_embedding") // where the loop begins and ends
    for (const [row, all] of Object.entries(chips)) {
      const mine = (row === "encoder") === (stack === "encoder")
      all.forEach((each, index) => {
        turn(each, { "aria-pressed": mine && index === token })
        each.classList.toggle("later", stack === "decoder" && row !== "encoder" && index > token)
        each.classList.toggle("followed", followed?.[row] === index)
        each.style.setProperty("--look", looks?.row === row ? (looks.weights[index] ?? 0) : 0)
      })
    }
  }
  return { node, draw, update }
}

export const FLOW_LOOK =
  TOWERS_LOOK +
  `
.mark { fill: none; stroke: var(--bbb-accent); stroke-width: 1.5 }
.ends { display: grid; gap: 0 20px; grid-template-columns: 158px 158px }
.flow .key { font-size: 0.75rem; line-height: 1.3; margin: 0.25rem 0 }
.side { font-size: 0.75rem; margin: 0.25rem 0 0 }
.end { position: relative }
.end:is(.written, .decoder) { padding-right: 8px }
.end:is(.written, .decoder)::after { border: 0 solid var(--bbb-decoder); content: ""; position: absolute; right: 0 }
.end.written::after { border-width: 2px 2px 0 0; bottom: 0; top: 0.8rem; width: 40px }
.end.decoder::after { border-width: 0 2px 2px 0; height: 0.8rem; top: 0; width: 14px }
.end.decoder::before { border: solid transparent; border-right-color: var(--bbb-decoder); border-width: 4px 7px 4px 0; content: "";
  position: absolute; right: 14px; top: calc(0.8rem - 5px) }
.end.decoder .side { padding-right: 16px }
.loop { stroke-width: 2 }
.fed .loop { stroke-width: 4 }
.fed .end.written::after { border-width: 4px 4px 0 0; right: -1px }
.fed .end.decoder::after { border-width: 0 4px 4px 0; right: -1px }
.side.encoder { color: var(--bbb-encoder) }
.side.decoder { color: var(--bbb-decoder) }
.tokens { display: flex; flex-wrap: wrap; gap: 3px; max-height: 8rem; overflow: auto; padding: 2px }
.token { background: color-mix(in srgb, var(--bbb-weights) calc(var(--look, 0) * 45%), var(--bbb-paper)); font-size: 0.8125rem;
  min-height: 24px; min-width: 24px; overflow-wrap: anywhere; padding: 0 4px }
.token.followed { box-shadow: inset 0 -3px var(--bbb-accent) }
.token.later { border-style: dashed; color: var(--bbb-muted) }
.token[aria-pressed="true"] { outline: 2px solid var(--bbb-accent); outline-offset: -1px }
`
