// The walk: from the id of one source token to the word that it becomes, and on to the next step. A stop is a place that is
// opened, and one sentence with the model's own numbers.

import { decimals } from "./figure.mjs"
import { strongest } from "./passage.mjs"
import { layersOf } from "./places.mjs"
import { grouped } from "./sheet.mjs"

/**
 * The walk through one passage: {stops, followed}. A stop is {at, step, token, head, chapter, sentence}. `followed` is
 * {encoder, written}: the source token, 1 or 0 where only <end> follows it, and the step of the decoder that looks most at it
 * in the last layer.
 */
export function walkThrough(passage) {
  const { source, read, written, pieces, tensors, heads, size, vocab, top, logTotals } = passage
  const [deep, last] = [layersOf(passage, "encoder") - 1, layersOf(passage, "decoder") - 1]
  const from = source.length > 2 ? 1 : 0
  const name = id => `“${isolated(pieces.get(id))}”`
  const all = Array.from({ length: heads }, (_, head) => head)
  const weights = (at, head, query) => {
    const row = tensors[`${at}.weights`][query]
    return row.subarray((head * row.length) / heads, ((head + 1) * row.length) / heads)
  }
  const most = numbers => numbers.indexOf(numbers.reduce((one, other) => Math.max(one, other)))
  const looks = (at, head, query) => {
    const place = most(weights(at, head, query))
    return `${name(source[place])}, with ${decimals(weights(at, head, query)[place], 3)}`
  }
  // The head that looks most at a token, and the one that looks most at any other token than its own: most is seen there.
  const onto = (at, query, key) => most(all.map(head => weights(at, head, query)[key]))
  const away = (at, query) =>
    most(all.map(head => Math.max(0, ...weights(at, head, query).filter((_, key) => key !== query))))
  const firing = (at, position) => {
    const hidden = tensors[`${at}.hidden_projection`][position]
    const unit = strongest(hidden)[0]
    const which = unit === undefined ? "" : `, unit ${grouped(unit + 1)} most`
    return `${grouped(hidden.filter(entry => entry > 0).length)} of ${grouped(hidden.length)} hidden units fire${which}`
  }
  const hearing = at => step => all.reduce((sum, head) => sum + weights(at, head, step)[from], 0)
  const final = `decoder.layers.${last}.cross_attention`
  const to = most(written.map((_, step) => step).map(hearing(final)))
  const after = Math.min(to + 1, read.length - 1)
  const [token, word, before] = [name(source[from]), name(written[to]), name(read[to])]
  const self = layer => `encoder.layers.${Math.min(layer, deep)}.self_attention`
  const cross = layer => `decoder.layers.${Math.min(layer, last)}.cross_attention`
  const share = layer => decimals(weights(cross(layer), onto(cross(layer), to, from), to)[from], 3)
  const certain = all.filter(head => weights(final, head, to)[from] > 0.5).length
  const [eye, other] = [away(self(0), from), away(self(1), from)]
  const [, chosen] = top[to].find(([id]) => id === written[to]) ?? top[to][0] // <start> may be above it: never written
  const probability = decimals(Math.exp(chosen - logTotals[to]), 3)

  const stop = (at, step, token, head, chapter, sentence) => ({ at, step, token, head, chapter, sentence })
  const encoder = (at, chapter, sentence, step = "scores", head = 0) => stop(at, step, from, head, chapter, sentence)
  const decoder = (at, chapter, sentence, step = "scores", head = 0) => stop(at, step, to, head, chapter, sentence)
  const stops = [
    encoder(
      "source_embedding",
      4,
      `We follow ${token} until it is ${word}. To the model it is a number, ${grouped(source[from])}, which picks a row of a table: ${size} learned numbers, its features.`,
    ),
    encoder("source_positions", 5, `A pattern that stands for its place is added: position ${from}, counted from 0.`),
    encoder(
      self(0),
      1,
      `The ${heads} heads are attentions that work side by side. Each makes three vectors of ${token}; this is head ${eye + 1}, the one that looks most at another token.`,
      "projections",
      eye,
    ),
    encoder(
      self(0),
      2,
      `The query of ${token} is multiplied with every token's key. It fits best to ${looks(self(0), eye, from)} of the weight.`,
      "scores",
      eye,
    ),
    encoder(
      self(0),
      2,
      `The weights decide how much of each token's value is taken; the shares are added up.`,
      "sum",
      eye,
    ),
    encoder(
      self(0),
      3,
      `The other heads have done the same with matrices of their own. Their results are joined and mixed.`,
      "concat",
      eye,
    ),
    encoder(
      `${self(0)}_add_norm`,
      6,
      `What attention found is added to the vector of ${token}, and the sum is brought to a standard size.`,
    ),
    encoder(
      "encoder.layers.0.feed_forward",
      7,
      `Now each token is alone with a feed-forward network: ${firing("encoder.layers.0.feed_forward", from)}.`,
    ),
    encoder(
      "encoder.layers.0.feed_forward_add_norm",
      6,
      "What they give is added too. This is the end of layer 1: the vector has been amended twice.",
    ),
    encoder(
      self(1),
      8,
      `The next layer does it again, with matrices of its own. Its head ${other + 1} looks at ${looks(self(1), other, from)}.`,
      "scores",
      other,
    ),
    encoder(
      `encoder.layers.${deep}.feed_forward_add_norm`,
      8,
      `The end of the encoder. This vector of ${token} has seen the whole sentence. Those of all tokens are the memory, which the decoder reads.`,
    ),
    decoder(
      "target_embedding",
      9,
      `The decoder writes one token a step. The vector at the last written token, ${before}, shall become the next word.`,
    ),
    decoder("target_positions", 5, `It is at position ${to} of the translation, and gets that position's pattern.`),
    decoder(
      "decoder.layers.0.self_attention",
      9,
      `${before} looks at itself and back. The tokens after it are known to us and not to the model: it has not written them yet.`,
      "scores",
      away("decoder.layers.0.self_attention", to),
    ),
    decoder(
      "decoder.layers.0.self_attention_add_norm",
      11,
      "What was found in the translation so far is added and normalised, as in the encoder.",
    ),
    decoder(
      cross(0),
      10,
      `Now it asks the source sentence. The query is the decoder's; keys and values are made of the memory.`,
      "projections",
      onto(cross(0), to, from),
    ),
    decoder(
      cross(0),
      10,
      `In layer 1 the head that looks most at ${token} gives it ${share(0)} of its weight.`,
      "scores",
      onto(cross(0), to, from),
    ),
    decoder(`${cross(0)}_add_norm`, 11, `What it heard from the source is added to the vector at ${before}.`),
    decoder(
      "decoder.layers.0.feed_forward",
      11,
      `The decoder has feed-forward networks too: ${firing("decoder.layers.0.feed_forward", to)}.`,
    ),
    decoder(
      cross(1),
      11,
      `The next layer asks the source again. Now the head that looks most at ${token} gives it ${share(1)}.`,
      "scores",
      onto(cross(1), to, from),
    ),
    decoder(
      final,
      10,
      `In the last layer ${certain} of ${heads} heads give ${token} more than half of their weight; head ${onto(final, to, from) + 1} gives ${share(last)}.`,
      "scores",
      onto(final, to, from),
    ),
    decoder(
      final,
      10,
      `So ${Number(share(last)) > 0.9 ? "nearly all" : "much"} of what this head hands over is the value of ${token}.`,
      "sum",
      onto(final, to, from),
    ),
    decoder(
      `decoder.layers.${last}.feed_forward_add_norm`,
      11,
      `The last vector at ${before}. All that was read and written so far has gone into it, for the choice of one token.`,
    ),
    decoder(
      "output",
      12,
      `It is compared with the rows of all ${grouped(vocab)} tokens. ${word} gets a probability of ${probability} and is written.`,
    ),
    stop(
      "target_embedding",
      "scores",
      after,
      0,
      13,
      after > to
        ? `${name(read[after])} is read at the next step, and everything in the decoder begins again, one token later.`
        : "With this the translation ends: there is no next step.",
    ),
  ]
  return { stops, followed: { encoder: from, written: to } }
}

/** A piece within a sentence; one that turns the direction of text does not turn what follows it. */
function isolated(piece) {
  const text = piece.trim() || "␣"
  return /\p{Bidi_Control}/u.test(text) ? `\u2068${text}\u2069` : text
}
