// What a figure needs from outside: a stored translation, rows of a matrix of the model. A page of the book fetches them
// from beside its module; in a notebook Python sends them.

import { late, PATIENCE } from "./loading.mjs"

/**
 * Returns two functions: trace(text, report) promises the bytes of a stored translation, rows(name, first, count, report)
 * {matrix, bias}. `report` is told in words when nothing comes for a while. `places()` says where the tensors stand in the
 * model's file.
 */
export function supply(model, places) {
  const ask = model.send ? fromPython(model) : fromSite(model)
  const bytes = async (name, first, last) => {
    const [from] = places()[name]
    return ask.bytes(from + first, from + last)
  }
  const patiently = (promise, what, report = () => {}) => {
    const waiting = setTimeout(() => report(late(model, what)), PATIENCE)
    return promise.finally(() => clearTimeout(waiting))
  }
  const rowsOf = async (name, first, count) => {
    if (!places()[`${name}.weight`]) throw new Error(`The file does not hold ${name}.`)
    const [begin, end] = places()[`${name}.weight`]
    const whole = places()[`${name}.weight.scale`] // a matrix of whole numbers has a scale for each row
    const height = (places()[`${name}.bias`][1] - places()[`${name}.bias`][0]) / 4
    const stride = (end - begin) / height
    const floats = async (part, unit) =>
      new Float32Array(await bytes(`${name}.${part}`, first * unit, (first + count) * unit))
    const cells = await bytes(`${name}.weight`, first * stride, (first + count) * stride)
    const bias = await floats("bias", 4)
    if (!whole) return { matrix: new Float32Array(cells), bias }
    const scales = await floats("weight.scale", 4)
    return {
      matrix: Float32Array.from(new Int8Array(cells), (cell, index) => cell * scales[Math.floor(index / stride)]),
      bias,
    }
  }
  return {
    trace: (text, report) => patiently(ask.trace(text), "the sentence", report),
    rows: (name, first, count, report) => patiently(rowsOf(name, first, count), "the matrix", report),
  }
}

function fromSite(model) {
  const beside = path => new URL(`../models/${path}`, import.meta.url).href
  const answer = async (path, options) => {
    const response = await fetch(beside(path), options).catch(() => null)
    if (!response?.ok)
      throw new Error(response ? `${response.status} ${response.statusText}.` : "The server does not answer.")
    return response
  }
  return {
    trace: async () => whole(await answer(`${model.get("trace")}.safetensors`)),
    /** A part of the model's file. A server that sends the whole file instead is read as far as the part and no further. */
    bytes: async (first, last) => {
      const path = `${model.get("model")}.safetensors?v=${model.get("digest")}`
      const response = await answer(path, { headers: { Range: `bytes=${first}-${last - 1}` } })
      if (response.status === 206) return whole(response)
      return partOf(response.body.getReader(), first, last)
    },
  }
}

/** All bytes of an answer; a browser's own words for a connection that ends are its own. */
function whole(response) {
  return response.arrayBuffer().catch(() => {
    throw new Error("The connection ended before all of it was there.")
  })
}

async function partOf(reader, first, last) {
  const part = new Uint8Array(last - first)
  for (let place = 0; place < last;) {
    const { done, value } = await reader.read().catch(() => ({ done: true }))
    if (done) throw new Error("The file is cut short.")
    const [from, to] = [Math.max(first - place, 0), Math.min(last - place, value.length)]
    if (from < to) part.set(value.subarray(from, to), place + from - first)
    place += value.length
  }
  reader.cancel()
  return part.buffer
}

function fromPython(model) {
  const ask = (question, name) =>
    new Promise((resolve, reject) => {
      const receive = ({ answer, text, error }, [view]) => {
        if (answer !== name || text !== question.text) return
        model.off("msg:custom", receive)
        if (error) reject(new Error(error))
        else resolve(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))
      }
      model.on("msg:custom", receive)
      model.send(question)
    })
  return {
    trace: text => ask({ ask: "trace", text }, "trace"),
    bytes: (first, last) => ask({ ask: "bytes", from: first, to: last }, `${first}-${last}`),
  }
}
