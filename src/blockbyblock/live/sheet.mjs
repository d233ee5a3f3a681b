// A table of vectors: each row a name, a strip of colour and the number at one feature, the same for all rows. What opens a
// block is made of such sheets.

import { decimals, h, number, show, visible } from "./figure.mjs"
import { canvasFor } from "./strips.mjs"

/**
 * A sheet of vectors, with its scale. `rows` are {name, vector, kind, cells, current}: `kind` is a name of the palette or
 * nothing, `cells` what stands behind the strip, by column. `head` are the names of the columns without that of the
 * number. Returns {node, read}; `read(feature)` shows the numbers at a feature, counted from 0.
 */
export function sheet({ caption, head, rows, scale, digits = 2, marked = true }, paint) {
  const numbers = []
  const place = h("th", { scope: "col", class: "place" })
  const lines = rows.map(({ name, vector, kind, cells = [], quiet = false, current = false, scale: own }) => {
    const value = number()
    if (vector) numbers.push([value, vector])
    const strip = vector ? stripOf(vector, own ?? scale, paint, kind, marked) : ""
    const columns = [strip, ...(marked ? [vector ? value : ""] : []), ...cells]
    const wide = index => (index ? "" : "wide")
    return h(
      "tr",
      { class: quiet ? "quiet" : "", "aria-current": current },
      h("th", { scope: "row" }, name),
      ...columns.map((cell, index) => h("td", { class: wide(index) }, cell)),
    )
  })
  const tops = head.map(text => (text ? h("th", { scope: "col" }, text) : h("td", {})))
  if (marked) tops.splice(2, 0, place)
  const node = h(
    "table",
    { class: "sheet" },
    h("caption", {}, caption, legend(scale)),
    h("thead", {}, h("tr", {}, ...tops)),
    h("tbody", {}, ...lines),
  )
  const read = feature => {
    place.textContent = `feature ${feature + 1}`
    for (const [value, vector] of numbers) show(value, vector[Math.min(feature, vector.length - 1)], digits)
  }
  return { node, read }
}

/** A vector as a strip, with a mark over the feature that is read. */
export function stripOf(vector, scale, paint, kind = "", marked = true) {
  const canvas = canvasFor(vector.length)
  paint(canvas, vector, scale)
  return h("div", { class: kind ? `strip ${kind}` : "strip" }, canvas, ...(marked ? [h("i", {})] : []))
}

/** What a view shows below its sentence, how many features its strips have, and how the numbers at one are read. */
export function view(sentence, features, sheets, ...nodes) {
  const read = feature => sheets.forEach(each => each.read(feature))
  return { sentence, features, read, nodes: nodes.length ? nodes : sheets.map(({ node }) => node) }
}

/** A sentence with nodes in it, as a list: phrase`${node} is token ${id}.` */
export function phrase(texts, ...parts) {
  return texts.flatMap((text, index) => (index < parts.length ? [text, parts[index]] : [text]))
}

/** A number that stands still. */
export function fixed(value, digits = 2) {
  const node = number()
  show(node, value, digits)
  return node
}

/** A share of one, as a bar and a number. */
export function bar(value, kind = "weights") {
  return h("span", { class: "bar", style: `--share: ${value}; --bar: var(--bbb-${kind})` }, fixed(value, 3))
}

/** A count, with commas. */
export function grouped(count) {
  return count.toLocaleString("en")
}

/** A token between quotation marks. */
export function quoted(piece) {
  return h("q", {}, visible(piece))
}

/** What the colours of a scale stand for. */
function legend(scale) {
  const end = decimals(scale, scale < 1 ? 2 : 1)
  return h(
    "span",
    { class: "legend" },
    `−${end}`,
    h("span", { class: "ramp below" }),
    "0",
    h("span", { class: "ramp" }),
    end,
  )
}

export const SHEET_LOOK = `
q { unicode-bidi: isolate }
.sheet thead td { border-bottom: 1px solid var(--bbb-line) }
.sheet { font-size: 0.75rem; margin: 0.25rem 0 0.75rem }
.sheet caption { font-size: 0.875rem; padding-bottom: 0 }
.sheet th, .sheet td { padding: 0.1rem 0.15rem; vertical-align: middle; white-space: nowrap }
.sheet td + td { padding-left: 5px }
.sheet th:first-child { max-width: 8.5rem; overflow: hidden; padding-left: 0; text-overflow: ellipsis }
.sheet .wide { padding-left: 10px; width: 99% }
.sheet thead th { white-space: normal }
.sheet thead th:nth-child(2) { text-align: left }
.sheet thead .place { white-space: nowrap }
@container (max-width: 43.99rem) {
  .sheet { font-size: 0.6875rem }
  .sheet th, .sheet td { padding: 0.1rem }
  .sheet td + td { padding-left: 3px }
  .sheet thead .place { white-space: normal }
  .sheet .times { padding-left: 0.25rem }
}
.sheet tr[aria-current="true"] th { font-weight: 700 }
.strip { display: block; height: 15px; min-width: 2.5rem; position: relative }
.strip canvas { display: block; height: 100%; image-rendering: pixelated; width: 100% }
.strip i { background: var(--bbb-ink); height: 4px; left: calc(var(--mark) * 100% - 1px); position: absolute; top: -4px; width: 2px }
.strip[class*=" "]::before { background: var(--kind); content: ""; inset: 0 auto 0 -7px; position: absolute; width: 4px }
.query { --kind: var(--bbb-query) } .key { --kind: var(--bbb-key) } .value { --kind: var(--bbb-value) }
.output { --kind: var(--bbb-output) } .encoder { --kind: var(--bbb-encoder) } .decoder { --kind: var(--bbb-decoder) }
.weights { --kind: var(--bbb-weights) }
.bar { background: linear-gradient(to right, color-mix(in srgb, var(--bar) 45%, transparent) calc(var(--share) * 100%), transparent 0);
  border-bottom: 1px solid var(--bbb-line); display: inline-block; min-width: 2.5rem }
.legend { align-items: center; color: var(--bbb-muted); display: inline-flex; font-size: 0.75rem; gap: 0.25rem; margin-left: 0.75rem;
  white-space: nowrap }
.ramp { background: linear-gradient(to right, var(--bbb-middle), var(--bbb-high)); display: inline-block; height: 9px; width: 2.5rem }
.ramp.below { background: linear-gradient(to right, var(--bbb-low), var(--bbb-middle)) }
`
