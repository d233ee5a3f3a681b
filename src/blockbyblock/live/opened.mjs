// A block, opened: the operation with the model's own numbers, for one token, layer and head. Each view is made by `view`:
// a sentence, how many features its strips have, its nodes, and `read(feature)`.

import { h } from "./figure.mjs"
import { sinusoid } from "./layers.mjs"
import { openedAttention } from "./opened_attention.mjs"
import { strongest } from "./passage.mjs"
import { layersOf, nameOf, placeOf, streamBefore } from "./places.mjs"
import { bar, fixed, grouped, phrase, quoted, sheet, view } from "./sheet.mjs"
import { canvasFor, scaleOf } from "./strips.mjs"

/** Open a place: `chosen` is {at, step, token, head}, `parts` promises rows of a matrix. */
export function opened(passage, chosen, paint, parts) {
  const place = placeOf(chosen.at)
  const ids = place.stack === "encoder" ? passage.source : passage.read
  const token = Math.min(chosen.token, ids.length - 1)
  const all = { ...chosen, ...place, token, ids, piece: passage.pieces.get(ids[token]) }
  if (place.part === "output") return openedOutput(passage, all, paint)
  if (place.part === "embedding") return openedEmbedding(passage, all, paint)
  if (place.part === "positions") return openedPositions(passage, all, paint)
  if (place.norm) return openedAddNorm(passage, all, paint)
  if (place.part === "feed_forward") return openedFeedForward(passage, all, paint)
  return openedAttention(passage, all, paint, parts)
}

function embedded({ rows, size }, id) {
  return rows.get(id).map(entry => entry * Math.sqrt(size))
}

function openedEmbedding(passage, { token, ids, piece, stack }, paint) {
  const { size, rows, vocab } = passage
  const [id, factor] = [ids[token], Number.isInteger(Math.sqrt(size)) ? Math.sqrt(size) : Math.sqrt(size).toFixed(2)]
  const table = sheet(
    {
      caption: `${size} features of one token`,
      head: ["", "vector"],
      rows: [
        { name: `row ${grouped(id)}`, vector: rows.get(id), kind: stack },
        { name: `× √${size} = ${factor}`, vector: embedded(passage, id), kind: stack },
      ],
      scale: scaleOf(embedded(passage, id)),
      digits: 3,
    },
    paint,
  )
  const sentence = phrase`${quoted(piece)} is number ${grouped(id)} of ${grouped(vocab)} tokens. Its row of the embedding table, ${size} numbers learned in training, is made ${factor} times larger, so that it is not small beside the position.`
  return view(sentence, size, [table])
}

function openedPositions(passage, { token, ids, piece, stack, side }, paint) {
  const { size, tensors } = passage
  const [own, place] = [embedded(passage, ids[token]), sinusoid(token, size)]
  const sum = tensors[`${side}_positions`][token]
  const table = sheet(
    {
      caption: `${size} features of one token`,
      head: ["", "vector"],
      rows: [
        { name: "embedding", vector: own, kind: stack },
        { name: `+ position ${token}`, vector: place },
        { name: "= into layer 1", vector: sum, kind: stack },
      ],
      scale: scaleOf(own, place, sum),
    },
    paint,
  )
  const sentence = phrase`The pattern of its position, sines and cosines from fast to slow, is added to ${quoted(piece)}. The first token has position 0, this one ${String(token)}.`
  return view(sentence, size, [table])
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
  const table = sheet(
    {
      caption: "Add, then normalise",
      head: ["", "vector"],
      rows: [
        { name: "x, what went in", vector: x, kind: stack },
        { name: `+ ${SHORT[part]}`, vector: handed, kind: "output" },
        { name: "= sum", vector: sum },
        { name: "− mean, ÷ spread", vector: standard },
        { name: "× gain (learned)", vector: gain },
        { name: "+ bias (learned)", vector: bias },
        { name: "= goes on", vector: out, kind: stack },
      ],
      scale: scaleOf(x, handed, sum, standard, out),
    },
    paint,
  )
  const facts = h(
    "p",
    {},
    ...phrase`Over the ${size} features of the sum: mean ${fixed(mean)}, spread ${fixed(spread)}.`,
  )
  const sentence = phrase`The result of ${nameOf(stack, part)} is added to the vector of ${quoted(piece)}. The sum is brought to mean 0 and spread 1, by its own numbers alone; then each feature has a learned gain and bias.`
  return view(sentence, size, [table], facts, table.node)
}

const SHORT = {
  self_attention: "attention's result",
  cross_attention: "attention's result",
  feed_forward: "feed-forward's",
}

function openedFeedForward(passage, { at, token, piece, stack, layer }, paint) {
  const { size, tensors, columns } = passage
  const x = tensors[streamBefore(stack, layer, "feed_forward")][token]
  const hidden = tensors[`${at}.hidden_projection`][token].map(entry => Math.max(0, entry))
  const out = tensors[`${at}.output_projection`][token]
  const firing = hidden.filter(entry => entry > 0).length
  const largest = hidden.reduce((one, other) => Math.max(one, other))
  const best = strongest(hidden)
  const adds = best.map(unit =>
    columns
      .get(at)
      .get(unit)
      .map(entry => entry * hidden[unit]),
  )
  const grid = canvasFor(64, Math.ceil(hidden.length / 64))
  grid.classList.add("grid")
  paint(grid, hidden, largest / 2 || 1) // where no unit fires all cells are at 0
  const units = sheet(
    {
      caption: "What the strongest units add",
      head: ["", "strength × own vector", "strength"],
      rows: best.map((unit, index) => ({
        name: `unit ${grouped(unit + 1)}`,
        vector: adds[index],
        cells: [fixed(hidden[unit])],
      })),
      scale: scaleOf(...adds, []),
    },
    paint,
  )
  const ends = sheet(
    {
      caption: "In, and out",
      head: ["", "vector"],
      rows: [
        { name: "x", vector: x, kind: stack },
        { name: "all units + bias", vector: out, kind: "output" },
      ],
      scale: scaleOf(x, out),
    },
    paint,
  )
  const facts = h(
    "p",
    {},
    ...(firing
      ? phrase`${grouped(firing)} of ${grouped(hidden.length)} units fire: the bright cells, the strongest with ${fixed(largest)}. The others are at 0.`
      : phrase`None of the ${grouped(hidden.length)} units fires: all are at 0, and what comes out is the bias alone.`),
  )
  const sentence = phrase`A hidden unit is a detector. The more the vector of ${quoted(piece)} is what it looks for, the more of its own vector it adds; if not, nothing.`
  return view(sentence, size, [units, ends], facts, grid, ...(firing ? [units.node] : []), ends.node)
}

function openedOutput(passage, { token, piece }, paint) {
  const { size, tensors, top, logTotals, rows, pieces, written, vocab } = passage
  const last = tensors[`decoder.layers.${layersOf(passage, "decoder") - 1}.feed_forward_add_norm`][token]
  const shares = top[token].map(([, logit]) => Math.exp(logit - logTotals[token]))
  const own = sheet(
    {
      caption: "What the decoder ends with",
      head: ["", "vector"],
      rows: [{ name: "last vector", vector: last, kind: "decoder" }],
      scale: scaleOf(last),
    },
    paint,
  )
  const table = sheet(
    {
      caption: `The ${shares.length} best of ${grouped(vocab)} rows`,
      head: ["token", "its row", "logit", "softmax"],
      rows: [
        ...top[token].map(([id, logit], index) => ({
          name: quoted(pieces.get(id)),
          current: id === written[token],
          vector: rows.get(id),
          cells: [fixed(logit), bar(shares[index], "decoder")],
        })),
        {
          name: "all others",
          quiet: true,
          cells: ["", bar(Math.max(0, 1 - shares.reduce((one, other) => one + other)), "decoder")],
        },
      ],
      scale: scaleOf(...top[token].map(([id]) => rows.get(id))),
    },
    paint,
  )
  const next = quoted(pieces.get(written[token]))
  const loop =
    token + 1 < written.length
      ? phrase`${next} is written, and read at the next step.`
      : phrase`${next} is written last: the translation is finished.`
  const sentence = phrase`The last vector at ${quoted(piece)} is multiplied with the embedding row of every token: the sums are the logits. Softmax makes probabilities of them.`
  return view(sentence, size, [own, table], own.node, table.node, h("p", {}, ...loop))
}

export const OPENED_LOOK = `
.grid { height: 80px; image-rendering: pixelated; margin: 0.25rem 0; width: 100% }
.opened p { margin: 0 0 0.4rem }
`
