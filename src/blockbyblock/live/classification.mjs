// The classifier behind the page: text in, the probability of each class out, and where [CLS] looked.

import { Classifier } from "./classifier.mjs"
import { softmax } from "./figure.mjs"
import { strip, Tokenizer } from "./tokenizer.mjs"

/**
 * What a worker does with a classifier (`serve` of worker.mjs):
 *
 * - classify {text}: "classified", what `TextClassifier.classify` returns.
 */
export function classification(file) {
  const classifier = new TextClassifier(file)
  return {
    *classify({ text }) {
      yield { kind: "classified", ...classifier.classify(text) }
    },
  }
}

/** A classifier with its tokenizer, from `readModel`. */
export class TextClassifier {
  constructor(file) {
    this.model = new Classifier(file)
    this.tokenizer = new Tokenizer(file.tokenizer)
    this.labels = file.about.labels
  }

  /** The ids of a text after [CLS]. Throws an Error if they are more than the model reads. */
  encode(text) {
    const { cls_id: cls, max_length: longest } = this.model.config
    const ids = [cls, ...this.tokenizer.encode(strip(text))]
    if (ids.length > longest) {
      throw new Error(`The text has ${ids.length} tokens with [CLS], over the model's limit of ${longest}. Shorten it.`)
    }
    return ids
  }

  /**
   * Read a text.
   *
   * Returns {pieces, logits, probabilities, attention}: what was read, [CLS] the first; the classes' logits and their
   * softmax, in the order of the labels; and weights [layer][head][row][column], of which the first row is [CLS]'s.
   */
  classify(text) {
    const ids = this.encode(text)
    const { logits, attention } = this.model.read(ids)
    const pieces = ["[CLS]", ...this.tokenizer.pieces(ids.slice(1))]
    return { pieces, logits, probabilities: softmax(Array.from(logits)), attention }
  }
}
