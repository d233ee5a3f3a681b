// An attention, opened, in four steps: the projections of one head, its scores, its weighted sum, and all heads together.

import { dot, h } from "./figure.mjs"
import { KINDS, MATRIX_LOOK, matrixRow } from "./matrix.mjs"
import { layersOf, streamBefore } from "./places.mjs"
import { bar, fixed, phrase, quoted, sheet, stripOf, view } from "./sheet.mjs"
import { scaleOf } from "./strips.mjs"

/** Where a head looks from one token: {row, weights}, the row of tokens of the flow and a weight for each it may see. */
export function looksOf({ tensors, heads }, { at, stack, part, head, token }) {
  const all = tensors[`${at}.weights`][token]
  const length = all.length / heads // a decoder's token looks back only
  const row = stack === "encoder" || part === "cross_attention" ? "encoder" : "decoder"
  return { row, weights: all.subarray(head * length, (head + 1) * length) }
}

/** The view of one step; see opened.mjs. */
export function openedAttention(passage, chosen, paint, parts) {
  const { tensors, heads, pieces } = passage
  const { at, stack, layer, part, head, token } = chosen
  const cross = part === "cross_attention"
  const own = streamBefore(stack, layer, part)
  const width = tensors[`${at}.query_projection`][token].length / heads
  const { weights } = looksOf(passage, chosen)
  const all = {
    ...chosen,
    cross,
    width,
    weights,
    names: (cross ? passage.source : chosen.ids).map(id => pieces.get(id)),
    most: weights.indexOf(weights.reduce((one, other) => Math.max(one, other))),
    slice: (kind, position) => tensors[`${at}.${kind}_projection`][position].subarray(head * width, (head + 1) * width),
    x: tensors[own][token],
    memory: tensors[cross ? `encoder.layers.${layersOf(passage, "encoder") - 1}.feed_forward_add_norm` : own],
  }
  return { projections, scores, sum, concat }[chosen.step](passage, all, paint, parts)
}

function projections({ size }, all, paint, parts) {
  const { stack, piece, head, width, slice, token, cross, names, most, x, memory } = all
  const from = kind => (kind === "query" || !cross ? token : most)
  const vectors = KINDS.map(kind => slice(kind, from(kind)))
  const whole = sheet(
    {
      caption: "What goes in",
      head: ["", `${size} features`],
      rows: cross
        ? [
            { name: h("span", {}, "x at ", quoted(piece)), vector: x, kind: stack },
            { name: h("span", {}, "memory of ", quoted(names[most])), vector: memory[most], kind: "encoder" },
          ]
        : [{ name: "x", vector: x, kind: stack }],
      scale: cross ? scaleOf(x, memory[most]) : scaleOf(x),
      marked: false,
    },
    paint,
  )
  const table = sheet(
    {
      caption: `What head ${head + 1} makes of it`,
      head: ["", `${width} features`],
      rows: KINDS.map((kind, index) => ({
        name: cross ? h("span", {}, `${kind} of `, quoted(kind === "query" ? piece : names[most])) : kind,
        vector: vectors[index],
        kind,
      })),
      scale: scaleOf(...vectors),
    },
    paint,
  )
  const product = matrixRow(all, paint, parts)
  const sentence = cross
    ? phrase`The decoder asks, with a query made of its vector at ${quoted(piece)}. The encoder answers: each source token has a key, by which it is found, and a value, which it hands over; here those of ${quoted(names[most])}.`
    : phrase`Three matrices make three vectors of the vector of ${quoted(piece)}: the query is what it looks for, the key what it is found by, the value what it hands over.`
  return view(sentence, width, [table, product], whole.node, table.node, product.node)
}

function scores(passage, all, paint) {
  const { piece, head, width, slice, token, names, weights, most, cross, stack } = all
  const query = slice("query", token)
  const seen = names.slice(0, weights.length).map((name, position) => {
    const key = slice("key", position)
    return { name, key, products: query.map((entry, index) => entry * key[index]), score: dot([...query], [...key]) }
  })
  const scale = scaleOf(query, ...seen.map(({ key }) => key))
  const large = scaleOf(...seen.map(({ products }) => products)) // about the square of what is multiplied
  const top = sheet(
    {
      caption: "The query",
      head: ["", `${width} features`],
      rows: [{ name: quoted(piece), vector: query, kind: "query" }],
      scale,
    },
    paint,
  )
  const rows = seen.flatMap(({ name, key, products, score }, position) => [
    { name: quoted(name), vector: key, kind: "key", current: position === most, cells: ["", "", ""] },
    {
      name: h("span", { class: "times" }, "× query"),
      vector: products,
      scale: large,
      cells: [fixed(score, 1), fixed(score / Math.sqrt(width)), bar(weights[position])],
    },
  ])
  const hidden = names
    .slice(weights.length)
    .map(name => ({ name: quoted(name), quiet: true, cells: ["hidden", "−∞", bar(0)] }))
  const table = sheet(
    {
      caption: cross ? "The memory's keys" : "The keys",
      head: ["", "key, and × query", "sum", `÷ √${width}`, "softmax"],
      rows: [...rows, ...hidden],
      scale,
    },
    paint,
  )
  const masked = stack === "decoder" && !cross ? " Later tokens are masked: their score is −∞." : ""
  const sentence = phrase`A key that fits the query has a large sum. Softmax turns the sums into weights that add up to 1: in head ${String(head + 1)}, ${quoted(piece)} looks most at ${quoted(names[most])}, with ${fixed(weights[most], 3)}. The map shades each token by its weight.${masked}`
  return view(sentence, width, [top, table], top.node, scrolled(table.node, "Keys and scores"))
}

function sum(passage, all, paint) {
  const { at, piece, head, width, slice, token, names, weights, most } = all
  const values = Array.from(weights, (_, position) => slice("value", position))
  const total = passage.tensors[`${at}.concat`][token].subarray(head * width, (head + 1) * width)
  const rows = values.flatMap((value, position) => [
    { name: quoted(names[position]), vector: value, kind: "value", current: position === most, cells: [""] },
    {
      name: h("span", { class: "times" }, "× weight"),
      vector: value.map(entry => entry * weights[position]),
      cells: [bar(weights[position])],
    },
  ])
  const table = sheet(
    {
      caption: "The values",
      head: ["", "value, and × weight", "weight"],
      rows: [...rows, { name: "added up", vector: total, kind: "output", cells: [""] }],
      scale: scaleOf(...values, total),
    },
    paint,
  )
  const sentence = phrase`Each value is taken as strongly as its weight says, and the shares are added up. This is what head ${String(head + 1)} hands to ${quoted(piece)}; the largest weight, ${fixed(weights[most], 3)}, is that of ${quoted(names[most])}.`
  return view(sentence, width, [table], scrolled(table.node, "Values and shares"))
}

function concat(passage, all, paint) {
  const { at, piece, head, width, token } = all
  const { heads, size, tensors } = passage
  const joined = tensors[`${at}.concat`][token]
  const out = tensors[`${at}.output_projection`][token]
  const scale = scaleOf(joined, out)
  const pieces = Array.from({ length: heads }, (_, index) => {
    const strip = stripOf(joined.subarray(index * width, (index + 1) * width), scale, paint, "", false)
    return h("div", { class: "piece", "aria-current": index === head }, h("span", {}, `head ${index + 1}`), strip)
  })
  const table = sheet(
    {
      caption: `${heads} × ${width} = ${heads * width} features`,
      head: ["", "vector"],
      rows: [
        { name: "joined", vector: joined, kind: "output" },
        { name: "× W_O + bias", vector: out, kind: "output" },
      ],
      scale,
    },
    paint,
  )
  const joinedPieces = h(
    "div",
    { class: "pieces", role: "img", "aria-label": `${heads} pieces, one from each head` },
    ...pieces,
  )
  const sentence = phrase`What the ${String(heads)} heads found for ${quoted(piece)} is laid side by side (concat), and one more matrix, W_O, mixes it. The result goes to the ⊕ on the stream.`
  return view(sentence, size, [table], joinedPieces, table.node)
}

function scrolled(node, label) {
  return h("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": label }, node)
}

export const OPENED_ATTENTION_LOOK =
  MATRIX_LOOK +
  `
.times { color: var(--bbb-muted); padding-left: 0.75rem }
.pieces { display: grid; gap: 0.25rem 0.5rem; grid-template-columns: repeat(4, 1fr); margin-bottom: 0.5rem }
.piece span { font-size: 0.75rem }
.piece[aria-current="true"] { outline: 2px solid var(--bbb-accent); outline-offset: 1px }
.scrolled { max-height: 32rem; overflow: auto }
.scrolled thead th { background: var(--bbb-paper); position: sticky; top: 0; z-index: 1 }
`
