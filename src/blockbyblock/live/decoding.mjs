// From a trained model to a translation, token by token: greedy and beam search, as in the package's decoding.py.
// Both are generators: they yield what they have found so far, so that a reader sees it and another request may end it.

const EXTRA_LENGTH = 50 // the paper's limit: the output may be this much longer than the input

/** ((5 + length) / 6) ** penalty, by which a log-probability is divided; the end token counts in the length. */
export function lengthDivisor(length, penalty) {
  return ((5 + length) / 6) ** penalty
}

/** The most tokens of a translation, the end token counted. */
export function lengthLimit(memory, config) {
  return Math.min(memory.length + EXTRA_LENGTH, config.max_length)
}

/**
 * Take the most probable token at each step, once the tokens in `given` have been read.
 *
 * Yields, after each token, {ids, logProbability, finished}: the ids without <end>. The last one is the translation.
 */
export function* greedy(model, memory, given = []) {
  const { start_id: start, end_id: end } = model.config
  const limit = lengthLimit(memory, model.config)
  let [reading] = model.read(memory, [model.nothing()], [start])
  let found = { ids: [], logProbability: 0, finished: false }
  while (!found.finished && found.ids.length < limit) {
    const length = found.ids.length
    const logProbabilities = logSoftmax(reading.logits, model.config)
    const token = given[length] ?? logProbabilities.indexOf(largest(logProbabilities))
    const finished = token === end
    const logProbability = found.logProbability + logProbabilities[token]
    found = { ids: finished ? found.ids : [...found.ids, token], logProbability, finished }
    yield found
    if (!finished) [reading] = model.read(memory, [reading.prefix], [token])
  }
}

/**
 * Keep the `beam` most probable prefixes at each step; one that has ended is compared by score with the others.
 *
 * Yields the best translation so far after each step, {ids, logProbability, finished, score}, or undefined while none has
 * ended. `given` is how each of them begins. The defaults are the paper's.
 */
export function* beamSearch(model, memory, { beam = 4, penalty = 0.6, given = [] } = {}) {
  const { start_id: start, end_id: end } = model.config
  const limit = lengthLimit(memory, model.config)
  let best
  const add = (ids, logProbability, finished) => {
    const score = logProbability / lengthDivisor(ids.length + finished, penalty)
    const better = best && (finished === best.finished ? score > best.score : finished)
    if (!best || better) best = { ids, logProbability, finished, score }
  }
  // A log-probability only falls, and the divisor is largest at the limit: no longer one can score more than this.
  const mayImprove = logProbability => !best || logProbability / lengthDivisor(limit, penalty) > best.score

  let open = [{ ids: [], logProbability: 0, prefix: model.nothing(), last: start }]
  while (open.length) {
    const readings = model.read(memory, open.map(({ prefix }) => prefix), open.map(({ last }) => last))
    const length = open[0].ids.length + 1
    const candidates = open.flatMap(({ ids, logProbability }, index) => {
      const logProbabilities = logSoftmax(readings[index].logits, model.config)
      const tokens = length <= given.length ? [given[length - 1]] : mostProbable(logProbabilities, beam)
      const { prefix } = readings[index]
      return tokens.map(last => ({ ids, logProbability: logProbability + logProbabilities[last], prefix, last }))
    })
    const kept = candidates.sort((a, b) => b.logProbability - a.logProbability).slice(0, beam)
    open = []
    for (const candidate of kept) {
      const { ids, logProbability, last } = candidate
      if (logProbability === -Infinity) continue
      else if (last === end) add(ids, logProbability, true)
      else if (length === limit) add([...ids, last], logProbability, false)
      else open.push({ ...candidate, ids: [...ids, last] })
    }
    if (open.length && !mayImprove(open[0].logProbability)) open = []
    yield best
  }
}

/** Log-probabilities from logits. Padding and <start> are never produced. */
export function logSoftmax(logits, { pad_id: padding, start_id: start, end_id: end }) {
  const allowed = logits.slice()
  for (const never of [padding, start]) if (never !== end) allowed[never] = -Infinity
  const most = largest(allowed)
  const logTotal = Math.log(allowed.reduce((sum, logit) => sum + Math.exp(logit - most), 0))
  return allowed.map(logit => logit - most - logTotal)
}

function largest(numbers) {
  return numbers.reduce((most, each) => Math.max(most, each), -Infinity)
}

/** The ids of the `count` largest numbers, the largest first. */
export function mostProbable(numbers, count) {
  const ids = []
  numbers.forEach((each, id) => {
    if (ids.length === count && each <= numbers[ids.at(-1)]) return
    const place = ids.findIndex(other => each > numbers[other])
    ids.splice(place < 0 ? ids.length : place, 0, id)
    ids.length = Math.min(ids.length, count)
  })
  return ids
}
