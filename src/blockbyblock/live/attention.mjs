// Attention, one query at a time: drag the query, and see scores, weights and the weighted sum of the values follow.

import { checkbox, decimals, dot, figure, h, hint, number, put, show, slider, softmax, svg, turn } from "./figure.mjs"

const WIDTHS = [2, 4, 8, 16, 32, 64]
const REACH = 3 // the entries of a query go from -3 to 3
const SIZE = 180
const MIDDLE = SIZE / 2
const LINE = 13 // from one line of labels to the next

/** Everything that the figure shows, from the values of the model. */
function attend(model) {
  const width = model.get("d_k")
  const further = model.get("further_key")
  const query = [...model.get("query"), ...model.get("further_query").slice(0, width - 2)]
  const keys = model.get("key").map((key, index) => [...key, ...further[index].slice(0, width - 2)])
  const divisor = model.get("scaled") ? Math.sqrt(width) : 1
  const scores = keys.map(key => dot(query, key))
  const scaled = scores.map(score => score / divisor)
  const weights = softmax(scaled)
  const output = [0, 1].map(entry => dot(weights, model.get("value").map(value => value[entry])))
  const entropy = -weights.reduce((sum, weight) => sum + (weight > 0 ? weight * Math.log(weight) : 0), 0)
  return { scores, scaled, weights, output, entropy }
}

/** Two axes through a point of the drawing, with their names at the ends; the first name is `drop` below its axis. */
function axes([x, y], [across, up], drop) {
  return [
    svg("path", { class: "axis", d: `M2 ${y}H${SIZE - 2}M${x} ${SIZE - 2}V2` }),
    svg("text", { class: "quiet", x: SIZE - 2, y: y + drop, "text-anchor": "end" }, `${across} →`),
    svg("text", { class: "quiet", x: x + 4, y: 10 }, `↑ ${up}`),
  ]
}

/**
 * One label for all tokens that stand at the same place: below it on the axis across, else to its right. A label that would
 * touch another one, or one of the axes' names in `taken`, goes a line down: each is {left, right, y}.
 */
function labels(places, axis, tokens, taken) {
  const groups = new Map()
  places.forEach((place, index) => groups.set(String(place), [...(groups.get(String(place)) ?? []), index]))
  const boxes = [...taken]
  return [...groups.values()].map(group => {
    const [x, y] = places[group[0]]
    const words = group.map(index => tokens[index]).join(", ")
    const half = 3.3 * words.length // about half of its width; the left half of the axis has the space for long ones
    const middle = y !== axis ? x + 8 + half : Math.min(SIZE - half, Math.max(half, x > MIDDLE ? x : x + 2 - half))
    const box = { left: middle - half, right: middle + half, y: y !== axis ? y + 4 : y + 16 }
    const touches = other => box.left < other.right + 6 && other.left < box.right + 6 && Math.abs(box.y - other.y) < LINE
    while (boxes.some(touches)) box.y += LINE
    boxes.push(box)
    return svg("text", { x: middle, y: box.y, "text-anchor": "middle" }, words)
  })
}

/** Where the name of the axis across stands, `drop` below it. */
function nameAcross(axis, drop, name) {
  return { left: SIZE - 2 - 6.6 * (name.length + 2), right: SIZE - 2, y: axis + drop }
}

/** The plane of the query and the keys; its handle is dragged, or moved with the arrow keys. */
function queryPlane(model) {
  const scale = (MIDDLE - 6) / REACH
  const place = ([x, y]) => [MIDDLE + scale * x, MIDDLE - scale * y]
  const move = entries => {
    const clamped = entries.map(entry => Math.min(REACH, Math.max(-REACH, Math.round(entry * 10) / 10)))
    put(model, "query", clamped)
  }
  const moveTo = event => {
    const box = plane.getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * SIZE
    const y = ((event.clientY - box.top) / box.height) * SIZE
    move([(x - MIDDLE) / scale, (MIDDLE - y) / scale])
  }
  const steps = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowDown: [0, -0.1], ArrowUp: [0, 0.1] }
  const press = event => {
    if (!(event.key in steps)) return
    event.preventDefault() // the page would scroll by it
    const stride = event.shiftKey ? 5 : 1
    move(model.get("query").map((entry, index) => entry + stride * steps[event.key][index]))
  }
  const name = `query of ${model.get("asking")}`
  const handle = svg(
    "g",
    {
      class: "handle", tabindex: 0, role: "slider", "aria-label": `${name}, moved with the arrow keys`,
      "aria-valuemin": -REACH, "aria-valuemax": REACH,
      onkeydown: press,
      ontouchstart: event => event.preventDefault(), // the page would scroll
      onpointerdown: event => handle.setPointerCapture(event.pointerId),
      onpointermove: event => handle.hasPointerCapture(event.pointerId) && moveTo(event),
    },
    svg("circle", { r: 20, class: "reach" }),
    svg("circle", { r: 8 }),
  )
  const arrow = svg("path", { class: "arrow" })
  const places = model.get("key").map(place)
  const dots = places.map(([x, y]) => svg("circle", { class: "key", cx: x, cy: y, r: 4 }))
  const plane = svg(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "group", "aria-label": `The ${name} among the keys`, onclick: moveTo },
    svg("rect", { class: "ground", width: SIZE, height: SIZE }),
    ...axes([MIDDLE, MIDDLE], model.get("axes"), -5), ...dots,
    ...labels(places, MIDDLE, model.get("tokens"), [nameAcross(MIDDLE, -5, model.get("axes")[0])]),
    arrow, handle,
  )
  const update = () => {
    const query = model.get("query")
    const [x, y] = place(query)
    turn(arrow, { d: `M${MIDDLE} ${MIDDLE}L${x} ${y}` })
    const words = model.get("axes").map((axis, index) => `${axis} ${decimals(query[index], 1)}`).join(", ")
    turn(handle, { transform: `translate(${x} ${y})`, "aria-valuenow": query[0], "aria-valuetext": words })
  }
  return { node: h("figure", {}, h("figcaption", {}, "query and keys"), plane), update }
}

const DROP = 31 // below the labels of the tokens on the axis

/** The plane of the values: a disc as large as its weight around each, and their weighted sum. */
function valuePlane(model) {
  const values = model.get("value")
  const largest = Math.max(1, ...values.flat().map(Math.abs))
  const below = Math.min(...values.flat()) < 0
  const origin = below ? MIDDLE : 34
  const scale = (SIZE - origin - 28) / largest
  const place = ([x, y]) => [origin + scale * x, SIZE - origin - scale * y]
  const places = values.map(place)
  const axis = place([0, 0])[1]
  const discs = places.map(([x, y]) => svg("circle", { class: "disc", cx: x, cy: y }))
  const dots = places.map(([x, y]) => svg("circle", { class: "value", cx: x, cy: y, r: 3 }))
  const sum = svg("path", { class: "sum", d: "M0 -7L7 0L0 7L-7 0Z" })
  const plane = svg(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": "The values, and their weighted sum among them" },
    svg("rect", { class: "ground", width: SIZE, height: SIZE }),
    ...axes(place([0, 0]), model.get("features"), DROP), ...discs, ...dots,
    ...labels(places, axis, model.get("tokens"), [nameAcross(axis, DROP, model.get("features")[0])]), sum,
  )
  const update = ({ weights, output }) => {
    discs.forEach((disc, index) => disc.setAttribute("r", 22 * Math.sqrt(weights[index])))
    turn(sum, { transform: `translate(${place(output)})` })
  }
  return { node: h("figure", {}, h("figcaption", {}, "values and ◆ their sum"), plane), update }
}

/** A row for each key, from its score to its weight. */
function ledger(model) {
  const divided = h("th", { scope: "col" })
  const rows = model.get("tokens").map((token, index) => {
    const cells = { score: number(), scaled: number(), weight: number(), bar: h("div", { class: "bar" }) }
    const value = model.get("value")[index].map(entry => decimals(entry, Number.isInteger(entry) ? 0 : 1))
    const row = h(
      "tr", {},
      h("th", { scope: "row" }, token), h("td", {}, cells.score), h("td", {}, cells.scaled),
      h("td", { class: "weight" }, cells.bar, cells.weight), h("td", {}, `(${value.join(", ")})`),
    )
    return { row, cells }
  })
  const heads = ["score", divided, "weight", "value"].map(head =>
    head === divided ? divided : h("th", { scope: "col" }, head),
  )
  const head = h("tr", {}, h("th", { scope: "col" }, "key"), ...heads)
  const node = h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows.map(({ row }) => row)))
  const update = ({ scores, scaled, weights }) => {
    divided.textContent = model.get("scaled") ? `÷ √${model.get("d_k")}` : "÷ 1"
    rows.forEach(({ cells }, index) => {
      show(cells.score, scores[index], 2)
      show(cells.scaled, scaled[index], 2)
      show(cells.weight, weights[index])
      cells.bar.style.width = `${100 * weights[index]}%`
    })
  }
  return { node, update }
}

function build(model) {
  const planes = [queryPlane(model), valuePlane(model)]
  const rows = ledger(model)
  const controls = [
    checkbox(model, "scaled", "divide by √d_k"),
    slider(model, "d_k", "d_k", WIDTHS),
  ]
  const sums = model.get("features").map(() => number())
  const entropy = number()
  const most = number()
  show(most, Math.log(model.get("tokens").length), 2)
  const named = model.get("features").flatMap((name, index) => [index ? `, ${name} ` : `${name} `, sums[index]])
  const nodes = [
    hint("drag the query. Raise d_k, then take the division away: the entries after the second are random."),
    h("div", { class: "controls" }, ...controls.map(({ node }) => node)),
    h("div", { class: "scene" }, h("div", { class: "planes" }, ...planes.map(({ node }) => node)), rows.node),
    h("p", { class: "result" }, "weighted sum: ", ...named),
    h("p", { class: "result" }, "entropy of the weights: ", entropy, " of at most ", most, " nats"),
  ]
  const update = () => {
    const found = attend(model)
    for (const part of [...controls, ...planes, rows]) part.update(found)
    sums.forEach((sum, index) => show(sum, found.output[index]))
    show(entropy, found.entropy, 2)
    const best = found.weights.indexOf(Math.max(...found.weights))
    const weight = decimals(found.weights[best], 2)
    return `Largest weight: ${model.get("tokens")[best]}, ${weight}. Entropy ${entropy.textContent}.`
  }
  return { nodes, update }
}

const look = `
.scene { align-items: flex-start; display: flex; flex-wrap: wrap; gap: 0.75rem 1.5rem }
.planes { display: grid; flex: 1 1 20rem; gap: 0.75rem; grid-template-columns: 1fr 1fr }
figure { margin: 0 }
figcaption { color: var(--bbb-muted) }
table { flex: 1 1 18rem; width: auto }
.ground { fill: var(--bbb-surface) }
.axis { stroke: var(--bbb-line) }
.key { fill: var(--bbb-key) }
.arrow { stroke: var(--bbb-query); stroke-width: 2.5 }
.handle { cursor: grab; fill: var(--bbb-query) }
.handle:active { cursor: grabbing }
.handle .reach { fill: transparent }
.handle:focus-visible { outline: none }
.handle:focus-visible .reach { stroke: var(--bbb-accent); stroke-width: 2 }
.value { fill: var(--bbb-value) }
.disc { fill: var(--bbb-weights); fill-opacity: 0.3; stroke: var(--bbb-weights) }
.sum { fill: var(--bbb-output); stroke: var(--bbb-paper) }
.weight { position: relative; width: 35% }
.weight data { position: relative }
.bar { background: var(--bbb-weights); bottom: 0.1rem; left: 0; opacity: 0.3; position: absolute; top: 0.1rem }
.result { margin: 0.5rem 0 0 }
`

export default figure({ name: "bbb-attention", watch: ["query", "d_k", "scaled"], look, build })
