"""What PyTorch says of a translation as a page has it: what follows from rounded tensors, and each number shown."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from blockbyblock.attention import concat_heads, split_heads
from blockbyblock.live.trace import STRONGEST, Trace
from blockbyblock.weights import model_weights


def followed(trace: Trace) -> dict[str, Tensor]:
    """The tensors of a stored translation: what follows from the linear layers' outputs once they are rounded."""
    model, found = trace.model, trace.tensors()
    heads = model.config.heads
    for name in [name for name in found if name.endswith("_projection")]:
        found[name] = found[name].half().float()
    for name in [name.removesuffix(".scores") for name in found if name.endswith(".scores")]:
        query, key, value = (
            split_heads(found[f"{name}.{part}_projection"][None], heads) for part in ("query", "key", "value")
        )
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        if name.startswith("decoder") and name.endswith("self_attention"):
            scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -math.inf)
        found[f"{name}.scores"], found[f"{name}.weights"] = scores[0], scores.softmax(-1)[0]
        found[f"{name}.concat"] = concat_heads(scores.softmax(-1) @ value)[0]
    for stack, side in (("encoder", "source"), ("decoder", "target")):
        x = found[f"{side}_positions"]
        for name, module in model.named_modules():
            if name.startswith(f"{stack}.") and name.endswith("_add_norm"):
                total = x + found[f"{name.removesuffix('_add_norm')}.output_projection"]
                x = F.layer_norm(
                    total, total.shape[-1:], module.norm.weight, module.norm.bias, module.norm.eps
                ).detach()
                found[name] = x
    return found


class Shown:
    """Every number that an opened block shows, in the order of the page."""

    def __init__(self, trace: Trace, tensors: dict[str, Tensor]) -> None:
        self.trace, self.tensors = trace, tensors
        self.logits = trace.tensors()[
            "output"
        ]  # not rounded: a stored translation says which are the largest, and their sum
        self.weights = {name.removeprefix("model."): each for name, each in model_weights(trace.model).items()}
        self.config = trace.model.config
        self.width = self.config.d_model // self.config.heads
        self.streams = {
            stack: self._stream(stack, side) for stack, side in (("encoder", "source"), ("decoder", "target"))
        }

    def _stream(self, stack: str, side: str) -> list[str]:
        names = [name for name in self.tensors if name.startswith(f"{stack}.") and name.endswith("_add_norm")]
        return [f"{side}_positions", *names]

    def before(self, at: str) -> str:
        """The name of what a sublayer reads."""
        stream = self.streams[at.split(".")[0]]
        return stream[stream.index(f"{at}_add_norm") - 1]

    def ids(self, at: str) -> list[int]:
        return self.trace.source if at.startswith(("source", "encoder")) else self.trace.read

    def __call__(self, at: str, step: str, token: int, head: int, feature: int, matrix: str = "query") -> list[float]:
        if at == "output":
            return self.output(token, feature)
        if at.endswith(("_embedding", "_positions")):
            row = self.weights["target_embedding.table.weight"][self.ids(at)[token]]
            embedded = row * math.sqrt(self.config.d_model)
            if at.endswith("_embedding"):
                return [float(row[feature]), float(embedded[feature])]
            angle = token / 10000 ** ((feature - feature % 2) / self.config.d_model)
            place = math.cos(angle) if feature % 2 else math.sin(angle)
            return [float(embedded[feature]), place, float(embedded[feature]) + place]
        if at.endswith("_add_norm"):
            return self.add_norm(at, token, feature)
        if at.endswith("feed_forward"):
            return self.feed_forward(at, token, feature)
        return getattr(self, step)(at, token, head, feature, matrix)

    def add_norm(self, at: str, token: int, feature: int) -> list[float]:
        sublayer = at.removesuffix("_add_norm")
        x, handed = self.tensors[self.before(sublayer)][token], self.tensors[f"{sublayer}.output_projection"][token]
        total = x + handed
        spread = (total.var(unbiased=False) + self.config.norm_eps).sqrt()
        gain, bias = (self.weights[f"{at}.norm.{part}"][feature] for part in ("weight", "bias"))
        standard = (total[feature] - total.mean()) / spread
        here = [x[feature], handed[feature], total[feature], standard, gain, bias, standard * gain + bias]
        return [float(each) for each in (total.mean(), spread, *here)]

    def feed_forward(self, at: str, token: int, feature: int) -> list[float]:
        hidden = self.tensors[f"{at}.hidden_projection"][token].relu()
        best = [int(unit) for unit in hidden.argsort(descending=True, stable=True)[:STRONGEST] if hidden[unit] > 0]
        matrix = self.weights[f"{at}.output_projection.weight"]
        units = [float(each) for unit in best for each in (hidden[unit] * matrix[feature, unit], hidden[unit])]
        ends = [self.tensors[self.before(at)], self.tensors[f"{at}.output_projection"]]
        return [float(hidden.max()), *units, *(float(each[token, feature]) for each in ends)]

    def output(self, token: int, feature: int) -> list[float]:
        last = self.tensors[self.streams["decoder"][-1]][token]
        table = self.weights["target_embedding.table.weight"]
        logits = table @ last
        shares = self.logits[token].logsumexp(-1)  # of all 8,000, which a stored translation has exact
        ids = self.logits[token].topk(10).indices.tolist()
        rows = [[float(table[id, feature]), float(logits[id]), float((logits[id] - shares).exp())] for id in ids]
        others = 1 - sum(row[-1] for row in rows)
        return [float(last[feature]), *(each for row in rows for each in row), others]

    def part(self, at: str, kind: str, position: int, head: int) -> Tensor:
        return self.tensors[f"{at}.{kind}_projection"][position, head * self.width : (head + 1) * self.width]

    def most(self, at: str, token: int, head: int) -> int:
        return int(self.tensors[f"{at}.weights"][head, token].argmax())

    def projections(self, at: str, token: int, head: int, feature: int, matrix: str) -> list[float]:
        cross = at.endswith("cross_attention")
        other = self.most(at, token, head) if cross else token
        three = [
            float(self.part(at, kind, token if kind == "query" else other, head)[feature])
            for kind in ("query", "key", "value")
        ]
        memory = self.tensors[self.streams["encoder"][-1]] if cross else self.tensors[self.before(at)]
        x = self.tensors[self.before(at)][token] if matrix == "query" else memory[other]
        row = head * self.width + feature
        total = float(self.weights[f"{at}.{matrix}_projection.weight"][row] @ x)
        bias = float(self.weights[f"{at}.{matrix}_projection.bias"][row])
        return [*three, total, bias, total + bias]

    def scores(self, at: str, token: int, head: int, feature: int, matrix: str) -> list[float]:
        query, weights = self.part(at, "query", token, head), self.tensors[f"{at}.weights"][head, token]
        shown = [float(weights.max()), float(query[feature])]
        for position, score in enumerate(self.tensors[f"{at}.scores"][head, token]):
            if score == -math.inf:
                shown += [0.0]
                continue
            key = self.part(at, "key", position, head)
            raw = float(query @ key)
            shown += [
                float(key[feature]),
                float(query[feature] * key[feature]),
                raw,
                float(score),
                float(weights[position]),
            ]
        return shown

    def sum(self, at: str, token: int, head: int, feature: int, matrix: str) -> list[float]:
        weights = self.tensors[f"{at}.weights"][head, token]
        shown = [float(weights.max())]
        for position, weight in enumerate(weights):
            if self.tensors[f"{at}.scores"][head, token, position] != -math.inf:
                value = float(self.part(at, "value", position, head)[feature])
                shown += [value, value * float(weight), float(weight)]
        return [*shown, float(self.tensors[f"{at}.concat"][token, head * self.width + feature])]

    def concat(self, at: str, token: int, head: int, feature: int, matrix: str) -> list[float]:
        return [float(self.tensors[f"{at}.{part}"][token, feature]) for part in ("concat", "output_projection")]
