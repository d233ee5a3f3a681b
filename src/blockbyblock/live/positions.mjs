// Positions as sines and cosines: the table, one pair of it as a rotation, and the dot product against the offset.

import { decimals, dot, figure, h, hint, number, range, show, slider, svg, turn } from "./figure.mjs"

const LENGTH = 72 // positions that the table shows
const FIRST = range(0, 47) // positions to choose from, so that with the largest offset the table still holds the other
const OFFSETS = range(0, 24)
const WIDTH = 336
const HEIGHT = 160
const SIZE = 180
const LEVELS = 12

/** The frequency of a pair: how far it turns from one position to the next, in radians. */
function frequency(pair, d_model) {
  return 10000 ** ((-2 * pair) / d_model)
}

/** The encoding of a position: sine and cosine of each pair, side by side. */
function encoding(position, d_model) {
  return range(0, d_model / 2 - 1).flatMap(pair => {
    const angle = position * frequency(pair, d_model)
    return [Math.sin(angle), Math.cos(angle)]
  })
}

/** Everything that the figure shows, from the values of the model. */
function encoded(model) {
  const [d_model, position, offset, pair] = ["d_model", "position", "offset", "pair"].map(key => model.get(key))
  const here = encoding(position, d_model)
  const there = encoding(position + offset, d_model)
  const turning = offset * frequency(pair, d_model)
  const [sine, cosine] = here.slice(2 * pair, 2 * pair + 2)
  return {
    d_model, position, offset, pair,
    pairs: [here, there].map(row => row.slice(2 * pair, 2 * pair + 2)),
    // the pair at the first position, turned by as much as the offset says
    turned: [
      sine * Math.cos(turning) + cosine * Math.sin(turning),
      cosine * Math.cos(turning) - sine * Math.sin(turning),
    ],
    products: OFFSETS.map(each => dot(here, encoding(position + each, d_model))),
  }
}

/** The table: a column for each position, a row for each entry, darker where the entry is larger. */
function tableOfAll(model) {
  const d_model = model.get("d_model")
  const [across, down] = [WIDTH / LENGTH, HEIGHT / d_model]
  const shades = Array(LEVELS).fill("")
  for (const position of range(0, LENGTH - 1)) {
    encoding(position, d_model).forEach((entry, row) => {
      const level = Math.min(LEVELS - 1, Math.floor(((entry + 1) / 2) * LEVELS))
      shades[level] += `M${position * across} ${row * down}h${across}v${down}h${-across}z`
    })
  }
  const cells = shades.map((d, level) =>
    svg("path", { class: "shade", d, "fill-opacity": (0.6 * level) / (LEVELS - 1) }),
  )
  const columns = ["here", "there"].map(name => svg("rect", { class: name, width: across, height: HEIGHT }))
  const row = svg("rect", { class: "row", width: WIDTH, height: 2 * down })
  const drawing = svg(
    "svg",
    { viewBox: `-14 -14 ${WIDTH + 16} ${HEIGHT + 28}`, role: "img" },
    ...cells, row, ...columns,
    svg("text", { class: "quiet", x: WIDTH, y: HEIGHT + 12, "text-anchor": "end" }, "position →"),
    svg("text", { class: "quiet", x: 0, y: -4 }, `↓ ${d_model} entries, from empty (−1) to full (1)`),
  )
  const update = ({ position, offset, pair }) => {
    columns.forEach((column, index) => turn(column, { x: (position + index * offset) * across }))
    turn(row, { y: 2 * pair * down })
    turn(drawing, { "aria-label": `All encodings; positions ${position} and ${position + offset} are framed` })
  }
  return { node: drawing, update }
}

/** One pair as a hand of a clock that stands at the position's angle. */
function clock() {
  const [middle, radius] = [SIZE / 2, 62]
  const place = ([sine, cosine], reach = radius) => [middle + reach * cosine, middle - reach * sine]
  const hands = ["here", "there"].map(name => svg("path", { class: `hand ${name}` }))
  const names = ["p", "p + k"].map(name => svg("text", { "text-anchor": "middle" }, name))
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" },
    svg("path", { class: "axis", d: `M20 ${middle}H${SIZE - 20}M${middle} 20V${SIZE - 20}` }),
    svg("circle", { class: "ring", cx: middle, cy: middle, r: radius }),
    ...hands, ...names,
    svg("text", { class: "quiet", x: SIZE - 2, y: SIZE - 4, "text-anchor": "end" }, "→ cosine"),
    svg("text", { class: "quiet", x: 2, y: 12 }, "↑ sine"),
  )
  const update = ({ pairs, position, offset, pair }) => {
    const tips = pairs.map(pair => place(pair, radius + 14))
    pairs.forEach((pair, index) => {
      turn(hands[index], { d: `M${middle} ${middle}L${place(pair).join(" ")}` })
      turn(names[index], { x: tips[index][0], y: tips[index][1] + 4 })
    })
    // Where both hands point the same way, one label names both: the slower the pair, the sooner.
    const near = Math.abs(tips[0][0] - tips[1][0]) < 30 && Math.abs(tips[0][1] - tips[1][1]) < 13
    names[0].textContent = near && offset ? "p, p + k" : "p"
    names[1].textContent = near ? "" : "p + k"
    const [x, y] = tips[0]
    const beside = near && offset && Math.abs(x - middle) > 40 ? (y > middle + 1 ? 14 : -12) : 0 // not on the hands
    if (near) turn(names[0], { x: Math.min(SIZE - 24, Math.max(24, x)), y: y + 4 + beside })
    turn(drawing, { "aria-label": `Pair ${pair} on a circle, at positions ${position} and ${position + offset}` })
  }
  return { node: h("figure", {}, h("figcaption", {}, "the pair: a rotation"), drawing), update }
}

/** The dot product of the two encodings against their offset. */
function curve(d_model) {
  const [left, right, top, bottom] = [26, SIZE - 8, 12, SIZE - 30]
  const x = offset => left + ((right - left) * offset) / OFFSETS.at(-1)
  const y = product => bottom - ((bottom - top) * product) / (d_model / 2)
  const line = svg("path", { class: "line" })
  const point = svg("circle", { class: "point", r: 5 })
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" },
    svg("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` }),
    line, point,
    ...[0, d_model / 2].map(value => svg("text", { x: left - 4, y: y(value) + 4, "text-anchor": "end" }, `${value}`)),
    ...[0, 12, 24].map(value => svg("text", { x: x(value), y: bottom + 14, "text-anchor": "middle" }, `${value}`)),
    svg("text", { class: "quiet", x: right, y: SIZE - 3, "text-anchor": "end" }, "offset k →"),
  )
  const update = ({ products, offset }) => {
    turn(line, { d: `M${products.map((product, index) => `${x(index)} ${y(product)}`).join("L")}` })
    turn(point, { cx: x(offset), cy: y(products[offset]) })
    turn(drawing, { "aria-label": `Dot product against the offset: ${decimals(products[offset], 2)} at ${offset}` })
  }
  return { node: h("figure", {}, h("figcaption", {}, "PE(p) · PE(p + k)"), drawing), update }
}

/** The numbers: the pair at both positions, the first one turned, and the dot product. */
function ledger() {
  const rows = ["PE(p)", "PE(p + k)", "PE(p), turned by k ω"].map(name => ({ name, cells: [number(), number()] }))
  const [step, period, product] = [number(), number(), number()]
  const body = rows.map(({ name, cells }) =>
    h("tr", {}, h("th", { scope: "row" }, name), ...cells.map(cell => h("td", {}, cell))),
  )
  const heads = ["", "sine", "cosine"].map(name => (name ? h("th", { scope: "col" }, name) : h("td", {})))
  const node = h(
    "div", { class: "numbers" },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...body)),
    h(
      "div", {},
      h("p", { class: "result" }, "ω = ", step, " radians a step: a turn in ", period, " positions"),
      h("p", { class: "result" }, "PE(p) · PE(p + k) = ", product),
    ),
  )
  const update = ({ pairs, turned, products, offset, pair, d_model }) => {
    for (const [index, entries] of [...pairs, turned].entries())
      rows[index].cells.forEach((cell, entry) => show(cell, entries[entry]))
    const omega = frequency(pair, d_model)
    show(step, omega, 4)
    show(period, (2 * Math.PI) / omega, 1)
    show(product, products[offset])
  }
  return { node, update }
}

function build(model) {
  const d_model = model.get("d_model")
  const controls = [
    slider(model, "position", "position p", FIRST),
    slider(model, "offset", "offset k", OFFSETS),
    slider(model, "pair", "pair of entries", range(0, d_model / 2 - 1)),
  ]
  const parts = [tableOfAll(model), clock(), curve(d_model), ledger()]
  const [all, ...drawings] = parts.map(({ node }) => node)
  const nodes = [
    hint("keep the offset and move the position: both hands turn, and the dot product stays."),
    h("div", { class: "controls" }, ...controls.map(({ node }) => node)),
    h("div", { class: "scene" }, h("div", { class: "all" }, all), ...drawings),
  ]
  const update = () => {
    const found = encoded(model)
    for (const part of [...controls, ...parts]) part.update(found)
    const { position, offset, pair, products } = found
    return `Positions ${position} and ${position + offset}, pair ${pair}: dot product ${decimals(products[offset], 2)}.`
  }
  return { nodes, update }
}

const look = `
.scene { display: grid; gap: 0.75rem 1rem; grid-template-columns: 1fr 1fr }
.all, .numbers { grid-column: 1 / -1 }
figure { margin: 0 }
figcaption { color: var(--bbb-muted) }
@container (min-width: 36rem) {
  .scene { grid-template-columns: 2fr 1fr 1fr }
  .all { grid-column: auto; padding-top: 0.75rem }
  .numbers { align-items: flex-start; display: grid; gap: 0 2rem; grid-template-columns: 3fr 2fr }
}
.controls .slider > :first-child { min-width: 6.5rem }
.shade { fill: var(--bbb-ink); shape-rendering: crispEdges }
.here, .there, .row { fill: none; stroke: var(--bbb-accent); stroke-width: 1.5 }
.there { stroke-dasharray: 5 3 }
.axis { fill: none; stroke: var(--bbb-line) }
.ring { fill: none; stroke: var(--bbb-line) }
.hand { stroke: var(--bbb-ink); stroke-width: 3 }
.line { fill: none; stroke: var(--bbb-ink); stroke-width: 2 }
.point { fill: var(--bbb-accent) }
.result { margin: 0.5rem 0 0 }
`

export default figure({ name: "bbb-positions", watch: ["position", "offset", "pair"], look, build })
