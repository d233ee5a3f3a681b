// A passage: a sentence, its translation, and every tensor that the model computes on the way. It comes from the model, or
// from a file that Python has stored (trace.py); both are recorded by running the same Transformer.
//
// {text, translation, source, read, written, pieces, ids, tensors, rows, norms, columns, top, logTotals, heads, size}:
// `source`, `read` and `written` are ids, `pieces` maps an id to its text, `tensors` a name to a vector for each position.
// `rows` maps an id to its row of the embedding table, `norms` a name to {gain, bias}, `columns` the name of a feed-forward
// network to a Map from hidden unit to what it adds, per unit of its strength. `top` holds the most probable ids of each
// step with their logits, and `logTotals` the logarithm of the sum of all exponentials, by which softmax divides.

import { mostProbable } from "./decoding.mjs"
import { readTensors } from "./safetensors.mjs"
import { Transformer } from "./transformer.mjs"

const TOP = 10
const STRONGEST = 4
const HIDDEN = /^(.*\.feed_forward)\.hidden_projection$/

/** What a file of trace.py holds; `places` says where each matrix stands in the file of the whole model. */
export function storedPassage(buffer) {
  const { own, tensors } = readTensors(buffer)
  const model = new Transformer({ config: own.config, tensors, ids: own.ids })
  const passage = recorded(model, tensors, own.source, own.written)
  const columns = new Map(
    Object.entries(own.units).map(([name, units]) => {
      const [{ numbers }, scales] = ["columns", "columns.scale"].map(part => tensors[`model.${name}.${part}`])
      const column = place => numbers.subarray(place * model.config.d_model, (place + 1) * model.config.d_model)
      return [name, new Map(units.map((unit, place) => [unit, scaled(column(place), scales.numbers)]))]
    }),
  )
  const top = own.top.map((ids, step) => ids.map(id => [id, passage.tensors.output[step][own.ids.indexOf(id)]]))
  const pieces = new Map(Object.entries(own.pieces).map(([id, piece]) => [Number(id), piece]))
  const rows = new Map(own.ids.map(id => [id, model.table(id)]))
  const { text, translation, ids, logTotals, places } = own
  return { ...passage, text, translation, ids, pieces, rows, columns, top, logTotals, places }
}

/** The same, but for texts and pieces, from a whole model and ids that it reads and writes. */
export function computedPassage(model, tensors, source, written) {
  const passage = recorded(model, tensors, source, written)
  const columns = new Map()
  for (const [name, vectors] of Object.entries(passage.tensors)) {
    const network = HIDDEN.exec(name)?.[1]
    if (!network) continue
    const units = new Set(vectors.flatMap(strongest))
    columns.set(
      network,
      new Map([...units].map(unit => [unit, column(tensors, `model.${network}.output_projection`, unit)])),
    )
  }
  const { output } = passage.tensors
  const top = output.map(logits => mostProbable(logits, TOP).map(id => [id, logits[id]]))
  const logTotals = output.map((logits, step) => {
    const largest = top[step][0][1]
    return largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0))
  })
  const ids = [...new Set([...source, ...passage.read, ...written, ...top.flat().map(([id]) => id)])]
  const rows = new Map(ids.map(id => [id, model.table(id)]))
  delete passage.tensors.output // 8,000 numbers a step, of which the page shows ten
  return { ...passage, ids, rows, columns, top, logTotals }
}

function recorded(model, tensors, source, written) {
  const { start_id: start, heads, d_model: size } = model.config
  const found = {}
  const read = [start, ...written.slice(0, -1)]
  model.observe = (name, vectors) => (found[name] ??= []).push(...vectors)
  try {
    const memory = model.encode(source)
    let prefix = model.nothing()
    for (const token of read) [{ prefix }] = model.read(memory, [prefix], [token])
  } finally {
    model.observe = null
  }
  const norms = new Map(
    Object.keys(found)
      .filter(name => name.endsWith("_add_norm"))
      .map(name => [
        name,
        { gain: tensors[`model.${name}.norm.weight`].numbers, bias: tensors[`model.${name}.norm.bias`].numbers },
      ]),
  )
  return {
    source,
    read,
    written,
    tensors: found,
    norms,
    heads,
    size,
    vocab: model.config.target_vocab,
    epsilon: model.config.norm_eps,
  }
}

/** The hidden units that fire most strongly at a position, the strongest first. */
export function strongest(hidden) {
  return mostProbable(hidden, STRONGEST).filter(unit => hidden[unit] > 0)
}

function column(tensors, name, unit) {
  const {
    shape: [height, width],
    numbers,
  } = tensors[`${name}.weight`]
  const scales = tensors[`${name}.weight.scale`]?.numbers ?? new Float32Array(height).fill(1)
  return scaled(
    Float32Array.from({ length: height }, (_, row) => numbers[row * width + unit]),
    scales,
  )
}

function scaled(numbers, scales) {
  return Float32Array.from(numbers, (number, index) => number * scales[index])
}
