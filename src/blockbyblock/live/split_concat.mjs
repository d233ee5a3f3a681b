// Split and concat on numbered cells: view, transpose, attend, concat; or the direct view, which scrambles.

import { choice, decimals, figure, h, hint, range, show, slider, svg, turn } from "./figure.mjs"

const HEADS = 2
const [CELL, ROW] = [38, 26] // px of a cell
const TOP = 22
const BLOCKS = [56, 196] // where the two heads stand, once they are apart

const NAMES = ["as it comes", "view", "transpose", "attend", "concat"]

/** What each step is in code, and the shape that comes out. */
function steps(cut, length) {
  const mean = ["each row: mean of it and the rows above", "[heads, position, d_v]"]
  const back = [".transpose(0, 1).flatten(1)", "[position, heads × d_v]"]
  const start = ["x", "[position, heads × d_k]"]
  if (cut === "direct") {
    const claimed = "[heads, position, d_k], it says"
    return [start, [`x.view(2, ${length}, 2)`, claimed], ["none: the shape is there already", claimed], mean, back]
  }
  const view = [`x.view(${length}, 2, 2)`, "[position, heads, d_k]"]
  return [start, view, [".transpose(0, 1)", "[heads, position, d_k]"], mean, back]
}

/** Where each number lies once it is cut, as [head, row, column], for its place in memory. */
function place(index, cut, length) {
  const width = HEADS * 2
  if (cut === "direct") return [Math.floor(index / (2 * length)), Math.floor((index % (2 * length)) / 2), index % 2]
  return [Math.floor((index % width) / 2), Math.floor(index / width), index % 2]
}

/** The numbers in the order of memory; attended ones once the step has come; and whom each row depends on. */
function followed(model) {
  const length = model.get("tokens").length
  const [cut, step] = [model.get("cut"), model.get("step")]
  const features = range(0, 2 * HEADS - 1)
  const start = range(0, length - 1).flatMap(position => features.map(feature => 10 * position + feature))
  const places = start.map((_, index) => place(index, cut, length))
  const above = ([head, row, column]) => start.filter((_, other) => {
    const [otherHead, otherRow, otherColumn] = places[other]
    return otherHead === head && otherColumn === column && otherRow <= row
  })
  const mean = numbers => numbers.reduce((sum, each) => sum + each, 0) / numbers.length
  const numbers = step < 3 ? start : places.map(each => mean(above(each)))
  // A row of the output is made of the same row of every head.
  const sources = range(0, length - 1).map(row => {
    const read = places.flatMap((each, index) => (each[1] === row ? above(places[index]) : []))
    return [...new Set(read.map(number => Math.floor(number / 10)))].sort((a, b) => a - b)
  })
  return { length, cut, step, start, places, numbers, sources }
}

/** Where a cell is drawn, and its place in the tensor of the step: rows from the outermost dimension to the last. */
function laid(index, { cut, step, places }) {
  const [head, row, column] = places[index]
  const whole = [Math.floor(index / 4), index % 4] // position and feature, as they come
  const wide = BLOCKS[0] + 40
  const apart = [BLOCKS[head] + CELL * column, TOP + ROW * row]
  if (step === 0) return { at: [wide + CELL * whole[1], TOP + ROW * whole[0]], order: whole }
  if (step === 1 && cut === "right") {
    const gap = whole[1] < 2 ? -8 : 8
    return { at: [wide + gap + CELL * whole[1], TOP + ROW * whole[0]], order: [row, head, column] }
  }
  if (step < 4) return { at: apart, order: [head, row, column] }
  return { at: [wide + CELL * (2 * head + column), TOP + ROW * row], order: [row, 2 * head + column] }
}

/** The cells, which travel from step to step; what they say is repeated in a table for those who do not see them. */
function drawing(model) {
  const tokens = model.get("tokens")
  const cells = range(0, tokens.length * 2 * HEADS - 1).map(index => {
    const size = { width: CELL - 2, height: ROW - 2 }
    const tint = svg("rect", { class: "tint", ...size, "fill-opacity": 0.08 + 0.06 * Math.floor(index / 4) })
    const text = svg("text", { x: CELL / 2 - 1, y: ROW / 2 + 3, "text-anchor": "middle" })
    return { text, tint, node: svg("g", { class: "cell" }, svg("rect", { class: "box", ...size }), tint, text) }
  })
  const rows = tokens.map((token, row) => ({
    name: svg("text", { x: BLOCKS[0] + 30, y: TOP + ROW * row + 16, "text-anchor": "end" }, token),
    from: svg("text", { class: "quiet", x: BLOCKS[0] + 40 + 4 * CELL + 6, y: TOP + ROW * row + 16 }),
  }))
  const heads = BLOCKS.map((x, head) => svg("text", { class: "quiet", x, y: 14 }, `head ${head}`))
  const picture = svg(
    "svg",
    { viewBox: `0 0 340 ${TOP + ROW * tokens.length + 4}`, "aria-hidden": "true" },
    ...heads, ...rows.flatMap(({ name, from }) => [name, from]), ...cells.map(({ node }) => node),
  )
  const list = h("div", { class: "unseen" })
  const update = found => {
    const { step, cut, numbers, sources } = found
    const apart = step === 3 || step === 2 || (step === 1 && cut === "direct")
    const spots = numbers.map((_, index) => laid(index, found))
    cells.forEach(({ node, text, tint }, index) => {
      node.style.transform = `translate(${spots[index].at[0]}px, ${spots[index].at[1]}px)`
      text.textContent = written(numbers[index], step)
      tint.style.visibility = step < 3 ? "visible" : "hidden" // a mean belongs to no single token
    })
    rows.forEach(({ name, from }, row) => {
      name.style.visibility = apart ? "hidden" : "visible"
      from.textContent = step === 4 ? `← ${sources[row].join(" ")}` : ""
    })
    heads.forEach(head => (head.style.visibility = apart ? "visible" : "hidden"))
    const ordered = spots.map(({ order }, index) => ({ order, value: numbers[index] }))
    ordered.sort((a, b) => a.order.reduce((found, each, index) => found || each - b.order[index], 0))
    list.replaceChildren(...ordered.map(({ value }) => said(value, step)))
  }
  return { nodes: [picture, list], update }
}

/** A number as its cell shows it: 03 is feature 3 of position 0; a mean may have a decimal. */
function written(value, step) {
  return step < 3 ? String(value).padStart(2, "0") : decimals(value, Number.isInteger(value) ? 0 : 1)
}

function said(value, step) {
  const node = h("data", {})
  show(node, value)
  node.textContent = `${written(value, step)} `
  return node
}

function build(model) {
  const tokens = model.get("tokens")
  const controls = [
    slider(model, "step", "step", range(0, 4), step => `${step + 1} of 5: ${NAMES[step]}`),
    choice(model, "cut", "cut", [["right", "view, transpose"], ["direct", "direct view"]]),
  ]
  const code = h("code", {})
  const shape = h("span", { class: "quiet" })
  const picture = drawing(model)
  const words = h("p", { class: "result" })
  const nodes = [
    hint("step through with the slider, then choose the direct view and step through again."),
    h("div", { class: "controls" }, ...controls.map(({ node }) => node)),
    h("p", { class: "line" }, code, " ", shape),
    h("div", { class: "picture" }, ...picture.nodes),
    words,
  ]
  const update = () => {
    const found = followed(model)
    for (const part of [...controls, picture]) part.update(found)
    const { step, cut, sources } = found
    const [written, dimensions] = steps(cut, tokens.length)[step]
    code.textContent = written
    shape.textContent = dimensions
    const first = sources.findIndex((read, row) => String(read) !== String(range(0, row)))
    const names = read => read.map(position => tokens[position]).join(", ")
    const verdict =
      first < 0
        ? "Each row depends on its own token and the earlier ones, as it must."
        : `Row ${first}, ${tokens[first]}, depends on ${names(sources[first])}: the wrong tokens.`
    const told = [
      "The first digit says which token a number belongs to, the second which feature it is.",
      cut === "right" ? "Each token's features are cut in two." : "The numbers keep their order in memory.",
      cut === "right"
        ? "Head by head, a row for each token."
        : "Head 0 is the first half of the sentence: two rows for each token.",
      "Even weights and a causal mask: a row may use itself and what stands above.",
      `The arrows name the tokens that a row depends on. ${verdict}`,
    ]
    words.textContent = told[step]
    return `Step ${step + 1}. ${told[step]}`
  }
  return { nodes, update }
}

const look = `
.picture { max-width: 26rem; position: relative }
.cell { transition: transform 0.6s ease }
.box { fill: var(--bbb-paper); stroke: var(--bbb-line) }
.tint { fill: var(--bbb-value) }
.line { min-height: 2.8em }
.shown { min-width: 8em }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace }
.result { margin: 0.25rem 0 0; min-height: 4.2em }
@container (min-width: 36rem) { .line { min-height: 1.4em } .result { min-height: 1.4em } }
`

export default figure({ name: "bbb-split-concat", watch: ["step", "cut"], look, build })
