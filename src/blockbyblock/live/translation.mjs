// The translator behind the page: text in, text and attention out.

import { beamSearch, greedy, lengthDivisor } from "./decoding.mjs"
import { byHead } from "./layers.mjs"
import { computedPassage } from "./passage.mjs"
import { strip, Tokenizer } from "./tokenizer.mjs"
import { Transformer } from "./transformer.mjs"

const BEAM = 4
const PENALTY = 0.6

/**
 * What a worker does with a translator (`serve` of worker.mjs):
 *
 * - translate {text, kept, typed}: what `Translator.translate` yields.
 * - inside {text}: "passage" {passage}, what `Translator.inside` returns.
 */
export function translation(file) {
  const translator = new Translator(file)
  return {
    translate: ({ text, kept, typed }) => translator.translate(text, kept, typed),
    *inside({ text }) {
      yield { kind: "passage", passage: translator.inside(text) }
    },
  }
}

/** A model with its tokenizer, from `readModel`: text in, text and attention out. */
export class Translator {
  constructor(file) {
    this.tensors = file.tensors
    this.model = new Transformer(file)
    this.tokenizer = new Tokenizer(file.tokenizer)
  }

  /** The ids of a sentence, closed with <end>. Throws an Error if they are more than the model reads. */
  encode(text) {
    const { end_id: end, max_length: longest } = this.model.config
    const ids = [...this.tokenizer.encode(strip(text)), end]
    if (ids.length > longest) {
      throw new Error(`The sentence has ${ids.length} tokens with <end>, over the model's limit of ${longest}. Shorten it.`)
    }
    return ids
  }

  /**
   * Translate a text by greedy and by beam search. A translation begins with the ids `kept`, then with what is `typed`.
   *
   * Yields {kind: "found", method, ...}, as `told` makes it, after each token of the greedy search and at the end of the
   * beam search; then {kind: "maps", method, maps} for each; and null at steps of which there is nothing to tell. A text
   * of nothing but white space yields {kind: "nothing"}.
   */
  *translate(text, kept = [], typed = "") {
    const source = this.encode(text)
    if (source.length === 1) return yield { kind: "nothing" }
    const given = [...kept, ...this.tokenizer.encode(typed)]
    const memory = this.model.encode(source)
    const best = {}
    for (best.greedy of greedy(this.model, memory, given)) {
      yield best.greedy.ids.length < given.length ? null : this.told("greedy", best.greedy, given, false)
    }
    yield this.told("greedy", best.greedy, given)
    for (best.beam of beamSearch(this.model, memory, { beam: BEAM, penalty: PENALTY, given })) yield null
    yield this.told("beam", best.beam, given)
    for (const [method, { ids, finished }] of Object.entries(best)) {
      yield { kind: "maps", method, maps: this.look(source, memory, ids, finished) }
    }
  }

  /** A text, its translation by greedy search, and all that is computed on the way; null for nothing but white space. */
  inside(text) {
    const source = this.encode(text)
    if (source.length === 1) return null
    let found
    for (found of greedy(this.model, this.model.encode(source)));
    const written = found.finished ? [...found.ids, this.model.config.end_id] : found.ids
    const passage = computedPassage(this.model, this.tensors, source, written)
    const pieces = new Map(passage.ids.map(id => [id, this.tokenizer.pieces([id])[0]]))
    const places = Object.fromEntries(Object.entries(this.tensors).map(([name, { place }]) => [name, place]))
    return { ...passage, text, translation: this.tokenizer.decode(found.ids), pieces, places }
  }

  /**
   * One translation for the page: its ids and text, its words with the place of their first id, its log-probability, its
   * score among others of a beam, how many of its ids were given, and whether the search has ended.
   */
  told(method, { ids, logProbability, finished }, given, ended = true) {
    const begin = this.tokenizer.pieces(ids).map((piece, place) => (place === 0 || /^[\s\p{P}]/u.test(piece) ? place : null))
    const places = begin.filter(place => place !== null)
    const words = places.map((place, index) => ({ place, text: this.tokenizer.decode(ids.slice(place, places[index + 1])) }))
    const score = logProbability / lengthDivisor(ids.length + finished, PENALTY)
    const text = this.tokenizer.decode(ids)
    return { kind: "found", method, ids, text, words, logProbability, score, finished, given: given.length, ended }
  }

  /**
   * Where every head of every layer looked: {source, read, written}, the pieces that it read and wrote, and the weights
   * [layer][head][row][column] of the encoder (source by source), the decoder (written by read; a row ends where the
   * future begins) and of the encoder-decoder attention, "cross" (written by source).
   */
  look(source, memory, ids, finished) {
    const { start_id: start, end_id: end, heads } = this.model.config
    const written = finished ? [...ids, end] : ids
    const read = [start, ...ids].slice(0, written.length)
    let prefix = this.model.nothing()
    const steps = read.map(token => {
      const [reading] = this.model.read(memory, [prefix], [token])
      prefix = reading.prefix
      return reading
    })
    const ofDecoder = kind => steps[0][kind].map((_, layer) => byHead(steps.map(step => step[kind][layer]), heads))
    return {
      source: this.tokenizer.pieces(source),
      read: this.tokenizer.pieces(read),
      written: this.tokenizer.pieces(written),
      encoder: memory.attention.map(rows => byHead(rows, heads)),
      decoder: ofDecoder("self"),
      cross: ofDecoder("cross"),
    }
  }
}
