// The language model behind the page: the beginning of a text in, what may come next out.

import { logSoftmax } from "./decoding.mjs"
import { LanguageModel } from "./language_model.mjs"
import { byHead } from "./layers.mjs"
import { strip, Tokenizer } from "./tokenizer.mjs"

/**
 * What a worker does with a language model (`serve` of worker.mjs):
 *
 * - next {text, chosen}: "next", what `TextGenerator.next` returns.
 *
 * Its facts are the pieces of the vocabulary.
 */
export function generation(file) {
  const generator = new TextGenerator(file)
  const { tokens } = generator.tokenizer
  return {
    facts: { pieces: generator.tokenizer.pieces(tokens.map((_, id) => id)) },
    *next({ text, chosen }) {
      yield { kind: "next", ...generator.next(text, chosen) }
    },
  }
}

/** A language model with its tokenizer, from `readModel`. */
export class TextGenerator {
  constructor(file) {
    this.model = new LanguageModel(file)
    this.tokenizer = new Tokenizer(file.tokenizer)
    this.steps = [] // {token, reading}: what has been read, of which the next text may begin with a part
  }

  /** The ids of the beginning of a text, after <start>. Throws an Error if they are more than the model reads. */
  encode(text) {
    const { start_id: start, max_length: longest } = this.model.config
    const ids = [start, ...this.tokenizer.encode(strip(text))]
    if (ids.length > longest) {
      throw new Error(`The text has ${ids.length} tokens with <start>, over the model's limit of ${longest}. Shorten it.`)
    }
    return ids
  }

  /**
   * What may follow a text that goes on with the tokens `chosen`.
   *
   * Returns {text, pieces, attention, ended, ids, logProbabilities}: the whole text, the pieces that were read, <start> the
   * first, and where each looked, [layer][head][row][column], a row ending where the future begins. `ended` says why nothing
   * follows: "end" after the token <end>, "full" at the model's longest text. Otherwise it is null, and `ids` are the tokens
   * that may follow, the most probable first, with their log-probabilities; of equal ones the smaller id comes first.
   */
  next(text, chosen = []) {
    const { config } = this.model
    const whole = [...this.encode(text), ...chosen]
    const read = whole.at(-1) === config.end_id ? whole.slice(0, -1) : whole
    const readings = this.read(read)
    const found = {
      text: this.tokenizer.decode(whole),
      pieces: this.tokenizer.pieces(read),
      attention: readings[0].attention.map((_, layer) =>
        byHead(readings.map(({ attention }) => attention[layer]), config.heads),
      ),
    }
    if (read !== whole) return { ...found, ended: "end", ids: [], logProbabilities: [] }
    if (whole.length >= config.max_length) return { ...found, ended: "full", ids: [], logProbabilities: [] }
    const all = logSoftmax(readings.at(-1).logits, config)
    const ids = Array.from(all.keys()).filter(id => all[id] > -Infinity).sort((a, b) => all[b] - all[a] || a - b)
    return { ...found, ended: null, ids, logProbabilities: ids.map(id => all[id]) }
  }

  /** The readings of ids, one after the other; those that stand at the beginning of what was read last are not read anew. */
  read(ids) {
    const differs = ids.findIndex((id, place) => this.steps[place]?.token !== id)
    this.steps = this.steps.slice(0, differs < 0 ? ids.length : differs)
    for (const token of ids.slice(this.steps.length)) {
      const [reading] = this.model.read([this.steps.at(-1)?.reading.prefix ?? this.model.nothing()], [token])
      this.steps.push({ token, reading })
    }
    return this.steps.map(({ reading }) => reading)
  }
}
