// A block, opened: the operation with the model's own numbers, for one token, layer and head. Each view returns its nodes,
// how many features its strips have, `read(feature)`, and a sentence for a screen reader.

import { dot, h, softmax } from "./figure.mjs"
import { openedAttention } from "./opened_attention.mjs"
import { strongest } from "./passage.mjs"
import { placeOf, streamBefore } from "./places.mjs"
import { bar, fixed, grouped, legend, quoted, sheet } from "./sheet.mjs"
import { canvasFor, scaleOf } from "./strips.mjs"
import { sinusoid } from "./transformer.mjs"

/** Open a place: `chosen` is {at, step, token, head}, `parts` fetches rows of a matrix, `again` draws when they are there. */
export function opened(passage, chosen, paint, parts) {
  const { stack, part, norm } = placeOf(chosen.at)
  const ids = stack === "encoder" ? passage.source : passage.read
  const token = Math.min(chosen.token, ids.length - 1)
  const all = { ...chosen, ...placeOf(chosen.at), token, ids, piece: passage.pieces.get(ids[token]) }
  if (part === "output") return openedOutput(passage, all, paint)
  if (part === "embedding") return openedEmbedding(passage, all, paint)
  if (part === "positions") return openedPositions(passage, all, paint)
  if (norm) return openedAddNorm(passage, all, paint)
  if (part === "feed_forward") return openedFeedForward(passage, all, paint)
  return openedAttention(passage, all, paint, parts)
}

function openedEmbedding(passage, { token, ids, piece, stack }, paint) {
  const { size, rows } = passage
  const row = rows.get(ids[token])
  const embedded = row.map(entry => entry * Math.sqrt(size))
  const scale = scaleOf(embedded)
  const id = grouped(ids[token])
  const table = sheet(
    `${size} features of one token`,
    ["", "vector"],
    [
      { name: `row ${id}`, vector: row, kind: stack },
      { name: `× √${size} = ${fixedText(Math.sqrt(size))}`, vector: embedded, kind: stack },
    ],
    scale,
    paint,
    { digits: 3 },
  )
  const sentence = [
    quoted(piece),
    ` is token ${id}. Its row of the embedding table, learned in training, is made ${fixedText(Math.sqrt(size))} times larger.`,
  ]
  return view(sentence, [legend(scale), table.node], size, table.read)
}

function openedPositions(passage, { token, ids, piece, stack, side }, paint) {
  const { size, rows, tensors } = passage
  const embedded = rows.get(ids[token]).map(entry => entry * Math.sqrt(size))
  const place = sinusoid(token, size)
  const sum = tensors[`${side}_positions`][token]
  const scale = scaleOf(embedded, place, sum)
  const table = sheet(
    `${size} features of one token`,
    ["", "vector"],
    [
      { name: "embedding", vector: embedded, kind: stack },
      { name: `+ position ${token + 1}`, vector: place },
      { name: "= into layer 1", vector: sum, kind: stack },
    ],
    scale,
    paint,
    { digits: 3 },
  )
  const sentence = [
    "The pattern of position ",
    h("span", {}, String(token + 1)),
    ", sines and cosines from fast to slow, is added to ",
    quoted(piece),
    ".",
  ]
  return view(sentence, [legend(scale), table.node], size, table.read)
}

function openedAddNorm(passage, { at, token, piece, stack, layer, part }, paint) {
  const { size, tensors, norms, epsilon } = passage
  const x = tensors[streamBefore(stack, layer, part)][token]
  const handed = tensors[`${stack}.layers.${layer}.${part}.output_projection`][token]
  const sum = x.map((entry, index) => entry + handed[index])
  const mean = sum.reduce((total, entry) => total + entry, 0) / size
  const spread = Math.sqrt(sum.reduce((total, entry) => total + (entry - mean) ** 2, 0) / size + epsilon)
  const standard = sum.map(entry => (entry - mean) / spread)
  const { gain, bias } = norms.get(at)
  const out = tensors[at][token]
  const scale = scaleOf(x, handed, sum, standard, out)
  const table = sheet(
    "From the sublayer's two ends to the next block",
    ["", "vector"],
    [
      { name: "x, which went in", vector: x, kind: stack },
      { name: "+ sublayer(x)", vector: handed, kind: "output" },
      { name: "= sum", vector: sum },
      { name: "− mean, ÷ spread", vector: standard },
      { name: "× gain", vector: gain },
      { name: "+ bias", vector: bias },
      { name: "= goes on", vector: out, kind: stack },
    ],
    scale,
    paint,
    { digits: 3 },
  )
  const facts = h(
    "p",
    {},
    `Over the ${size} features of the sum: mean `,
    fixed(mean, 3),
    ", spread ",
    fixed(spread, 3),
    ".",
  )
  const sentence = [
    "What the sublayer hands over is added to what went in, and the sum of ",
    quoted(piece),
    " is brought to one size, whatever the other tokens hold.",
  ]
  return view(sentence, [legend(scale), facts, table.node], size, table.read)
}

function openedFeedForward(passage, { at, token, piece, stack, layer }, paint) {
  const { size, tensors, columns } = passage
  const x = tensors[streamBefore(stack, layer, "feed_forward")][token]
  const hidden = tensors[`${at}.hidden_projection`][token].map(entry => Math.max(0, entry))
  const out = tensors[`${at}.output_projection`][token]
  const firing = hidden.filter(entry => entry > 0).length
  const best = strongest(hidden)
  const adds = best.map(unit =>
    columns
      .get(at)
      .get(unit)
      .map(entry => entry * hidden[unit]),
  )
  const [inside, around, within] = [scaleOf(hidden), scaleOf(x, out), scaleOf(...adds, [])]
  const grid = canvasFor(64, Math.ceil(hidden.length / 64))
  grid.classList.add("grid")
  paint(grid, hidden, inside)
  const units = sheet(
    "What the strongest units add",
    ["", "strength × own vector", "strength"],
    best.map((unit, index) => ({
      name: `unit ${grouped(unit + 1)}`,
      vector: adds[index],
      cells: [fixed(hidden[unit])],
    })),
    within,
    paint,
    { digits: 3 },
  )
  const ends = sheet(
    "In, and out: all units and the bias",
    ["", "vector"],
    [
      { name: "x", vector: x, kind: stack },
      { name: "out", vector: out, kind: "output" },
    ],
    around,
    paint,
    { digits: 3 },
  )
  const facts = h(
    "p",
    {},
    `${grouped(firing)} of ${grouped(hidden.length)} hidden units fire: the bright cells. The others are at 0.`,
  )
  const sentence = [
    "Each hidden unit asks the vector of ",
    quoted(piece),
    " one question. The more it says yes, the more of its own vector it adds.",
  ]
  return view(sentence, [facts, grid, legend(within), units.node, legend(around), ends.node], size, at =>
    [units, ends].forEach(({ read }) => read(at)),
  )
}

function openedOutput(passage, { token }, paint) {
  const { size, tensors, top, logTotals, rows, pieces, written } = passage
  const name = Object.keys(tensors)
    .filter(each => each.startsWith("decoder.") && each.endsWith("feed_forward_add_norm"))
    .at(-1)
  const last = tensors[name][token]
  const scale = scaleOf(last)
  const inTable = scaleOf(...top[token].map(([id]) => rows.get(id)))
  const own = sheet(
    "The decoder's last vector",
    ["", "vector"],
    [{ name: "last vector", vector: last, kind: "decoder" }],
    scale,
    paint,
    { digits: 3 },
  )
  const lines = top[token].map(([id, logit]) => ({
    name: quoted(pieces.get(id)),
    label: id,
    vector: rows.get(id),
    cells: [fixed(logit), bar(Math.exp(logit - logTotals[token]), "decoder")],
  }))
  const table = sheet(
    `Last vector × rows of the embedding table, the ${top[token].length} largest`,
    ["token", "its row", "logit", "softmax"],
    lines,
    inTable,
    paint,
    { digits: 3, chosen: written[token] },
  )
  const next = pieces.get(written[token])
  const loop =
    token + 1 < written.length
      ? h("p", {}, quoted(next), ` is written, and read as token ${token + 2} at the next step.`)
      : h("p", {}, quoted(next), " is written last: the translation is finished.")
  const sentence = [
    "The last vector is multiplied by every token's row of the table. Softmax makes probabilities of the sums, the logits.",
  ]
  return view(sentence, [own.node, table.node, loop], size, feature =>
    [own, table].forEach(({ read }) => read(feature)),
  )
}

function view(sentence, nodes, features, read) {
  return { sentence, nodes, features, read }
}

function fixedText(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(2)
}

export const OPENED_LOOK = `
.grid { height: 80px; image-rendering: pixelated; margin: 0.25rem 0; width: 100% }
`
