// Every attention of a model, head by head: an overview of all heads of one kind, and the one that is chosen, large.

import { choice, decimals, h, put, svg, turn, visible } from "./figure.mjs"

// Which pieces stand at the rows, those that look, and at the columns, those that are looked at.
const KINDS = {
  cross: { name: "encoder-decoder", rows: "written", columns: "source" },
  encoder: { name: "encoder", rows: "source", columns: "source" },
  decoder: { name: "decoder", rows: "written", columns: "read" },
}
const SHADES = 20 // a shade is rounded to a twentieth; the weight that is read is not
const CELL = 24 // px: as large as a finger needs
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }
const LONGEST = 12 // characters of a piece at the edge

/**
 * The maps of a translation, drawn anew by `update(maps, old)`, which returns in words where the reader looks.
 *
 * `maps` is {source, read, written, encoder, decoder, cross}: pieces, and weights [layer][head][row][column]; or null, for
 * which nothing is shown. `old` says that they are those of another sentence, since others are on their way.
 * The model holds what is chosen: `kind`, `layer`, `head` and `cell`, [row, column].
 */
export function attentionMaps(model) {
  const kinds = choice(model, "kind", "Attention", Object.entries(KINDS).map(([kind, { name }]) => [kind, name]))
  const overview = headsOverview(model)
  const chosen = chosenHead(model)
  const pair = h("div", { class: "pair" }, overview.node, chosen.node)
  const node = h("div", { class: "maps" }, kinds.node, pair)
  const update = (maps, old = false) => {
    kinds.update()
    pair.hidden = !maps
    pair.classList.toggle("old", old)
    if (!maps) return ""
    const kind = model.get("kind")
    const layers = maps[kind]
    const layer = Math.min(model.get("layer"), layers.length)
    const head = Math.min(model.get("head"), layers[0].length)
    overview.update(layers, layer, head)
    const labels = { rows: maps[KINDS[kind].rows], columns: maps[KINDS[kind].columns] }
    return chosen.update(layers[layer - 1][head - 1], labels, `layer ${layer}, head ${head}`)
  }
  return { node, update }
}

/** A small picture of each head, a row for each layer; one is chosen with the mouse or the arrow keys. */
function headsOverview(model) {
  const node = h("div", { class: "heads", role: "group", "aria-label": "Layers and heads, chosen with the arrow keys" })
  let drawn
  let buttons = []
  const choose = (layer, head) => {
    put(model, "layer", layer)
    put(model, "head", head)
  }
  const draw = layers => {
    buttons = layers.map((heads, layer) =>
      heads.map((rows, head) => {
        const [height, width] = [rows.length, rows.at(-1).length]
        const view = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": true }
        const label = `layer ${layer + 1}, head ${head + 1}`
        const onkeydown = event => {
          const [down, right] = STEPS[event.key] ?? []
          const next = buttons[layer + down]?.[head + right]
          if (down === undefined) return
          event.preventDefault() // the page would scroll
          next?.focus()
          next?.click()
        }
        const onclick = () => choose(layer + 1, head + 1)
        return h("button", { type: "button", "aria-label": label, onclick, onkeydown }, svg("svg", view, ...shaded(rows, 1)))
      }),
    )
    node.style.setProperty("--heads", layers[0].length)
    const corner = h("span", { "aria-hidden": true }, "layer")
    const heads = layers[0].map((_, head) => h("span", { "aria-hidden": true }, head + 1))
    const rows = buttons.flatMap((row, layer) => [h("span", { "aria-hidden": true }, layer + 1), ...row])
    node.replaceChildren(corner, ...heads, ...rows)
  }
  const update = (layers, layer, head) => {
    if (layers !== drawn) draw(layers)
    drawn = layers
    buttons.flat().forEach(button => turn(button, { "aria-pressed": false, tabindex: -1 }))
    turn(buttons[layer - 1][head - 1], { "aria-pressed": true, tabindex: 0 })
  }
  return { node, update }
}

/** The chosen head, large, with its pieces at the edges; one weight is read with the mouse, a tap or the arrow keys. */
function chosenHead(model) {
  const title = h("p", { class: "title" })
  const reading = h("p", { class: "reading" })
  const cells = svg("g", {})
  const frame = svg("rect", { class: "frame", width: CELL, height: CELL })
  const edges = svg("g", { "aria-hidden": true })
  let drawn
  let place = [0, 0]
  let origin = [0, 0]
  const move = (row, column) => {
    const to = [clamp(row, drawn.length), clamp(column, drawn.at(-1).length)]
    if (String(to) !== String(place)) put(model, "cell", to)
  }
  const point = event => {
    const box = plane.getBoundingClientRect()
    const [x, y] = [event.clientX - box.left - origin[0], event.clientY - box.top - origin[1]]
    if (x >= 0 && y >= 0) move(Math.floor(y / CELL), Math.floor(x / CELL))
  }
  const press = event => {
    const step = STEPS[event.key]
    if (!step) return
    event.preventDefault()
    move(place[0] + step[0], place[1] + step[1])
  }
  const listeners = { onpointermove: point, onclick: point, onkeydown: press }
  const plane = svg("svg", { class: "plane", tabindex: 0, role: "application", ...listeners }, edges, cells, frame)
  const node = h("div", { class: "chosen" }, title, reading, h("div", { class: "window" }, plane))
  const draw = (rows, labels, name) => {
    const names = { rows: labels.rows.map(shortened), columns: labels.columns.map(shortened) }
    const [down, across] = [names.rows, names.columns].map(list => Math.max(...list.map(text => text.length)))
    const [left, top] = [12 + 8 * down, 8 + 7.5 * across]
    origin = [left, top]
    const [width, height] = [CELL * names.columns.length, CELL * names.rows.length]
    plane.style = `width: ${left + width + 2}px; height: ${top + height + 2}px`
    turn(plane, { "aria-label": `Weights of ${name}; arrow keys go from cell to cell` })
    for (const part of [cells, frame]) turn(part, { transform: `translate(${left} ${top})` })
    cells.replaceChildren(svg("rect", { class: "ground", width, height }), ...shaded(rows, CELL))
    edges.replaceChildren(
      ...names.rows.map((text, row) =>
        svg("text", { x: left - 5, y: top + CELL * (row + 0.5) + 4, "text-anchor": "end" }, text),
      ),
      ...names.columns.map((text, column) => {
        const [x, y] = [left + CELL * (column + 0.5) + 4, top - 5]
        return svg("text", { x, y, transform: `rotate(-90 ${x} ${y})` }, text)
      }),
    )
  }
  const update = (rows, labels, name) => {
    if (rows !== drawn) draw(rows, labels, name)
    drawn = rows
    const [row, column] = model.get("cell")
    place = [clamp(row, rows.length), clamp(column, rows.at(-1).length)]
    turn(frame, { x: CELL * place[1], y: CELL * place[0] })
    const weight = rows[place[0]][place[1]]
    const from = visible(labels.rows[place[0]])
    const to = visible(labels.columns[place[1]])
    title.textContent = name[0].toUpperCase() + name.slice(1)
    const value = h("data", { value: weight ?? 0 }, weight === undefined ? "none: the future" : decimals(weight, 3))
    reading.replaceChildren(h("q", {}, from), " looks at ", h("q", {}, to), ": ", value)
    return `${title.textContent}. ${reading.textContent}`
  }
  return { node, update }
}

function clamp(index, length) {
  return Math.min(Math.max(index, 0), length - 1)
}

function shortened(piece) {
  const text = visible(piece)
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text
}

/** Squares for weights: one path for all of a shade. */
function shaded(rows, size) {
  const paths = new Map()
  rows.forEach((row, y) =>
    row.forEach((weight, x) => {
      const shade = Math.round(weight * SHADES)
      if (shade) paths.set(shade, `${paths.get(shade) ?? ""}M${x * size} ${y * size}h${size}v${size}h-${size}z`)
    }),
  )
  return [...paths].map(([shade, d]) => svg("path", { class: "shade", d, "fill-opacity": shade / SHADES }))
}

export const MAPS_LOOK = `
.pair { align-items: flex-start; display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; margin-top: 0.5rem }
.heads { align-items: center; color: var(--bbb-muted); display: grid; flex: 1 1 17rem; gap: 3px; max-width: 24rem;
  min-height: 9rem; grid-template-columns: 2.2rem repeat(var(--heads), minmax(0, 1fr)); text-align: center }
.heads button { aspect-ratio: 1; border-radius: 0; min-height: 24px; min-width: 24px; padding: 0 }
.heads button[aria-pressed="true"] { outline: 3px solid var(--bbb-accent); outline-offset: 0 }
.heads svg { height: 100%; overflow: hidden; width: 100% }
.shade { fill: var(--bbb-weights) }
.chosen { flex: 1 1 17rem; min-width: 0 }
.title, .reading { margin: 0; min-height: 1.4em }
.window { height: 21rem; overflow: auto }
.plane { touch-action: manipulation }
.ground { fill: none; stroke: var(--bbb-line) }
.frame { fill: none; stroke: var(--bbb-accent); stroke-width: 2 }
.reading { font-variant-numeric: tabular-nums }
`
