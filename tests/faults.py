"""Deliberate faults, each with the test that must catch it. Run by hand: `make faults`.

Most of these have been published in tutorials or libraries. Each is planted in a copy of the package; the named test
must then fail. A fault that its test does not notice, or a text that is no longer in the source, is an error.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "blockbyblock"


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in `module`; `test` must fail."""

    name: str
    module: str
    old: str
    new: str
    test: str


FAULTS = (
    Fault(
        "softmax over the queries instead of the keys",
        "attention",
        "weights = scores.softmax(-1)",
        "weights = scores.softmax(-2)",
        "test_attention.py::test_weights_are_distributions_over_the_keys",
    ),
    Fault(
        "scale dropped",
        "attention",
        "key.transpose(-2, -1) / math.sqrt(query.shape[-1])",
        "key.transpose(-2, -1)",
        "test_attention.py::test_attention_by_hand",
    ),
    Fault(
        "scaled by d_k instead of its root",
        "attention",
        "/ math.sqrt(query.shape[-1])",
        "/ query.shape[-1]",
        "test_attention.py::test_explicit_equals_the_fused_kernel",
    ),
    Fault(
        "mask inverted",
        "attention",
        "scores.masked_fill(~mask,",
        "scores.masked_fill(mask,",
        "test_attention.py::test_masked_weights_are_exactly_zero_and_the_rest_still_sums_to_one",
    ),
    Fault(
        "minus infinity where a row may be fully masked",
        "attention",
        "torch.finfo(scores.dtype).min).softmax(-1).masked_fill(~mask, 0.0)",
        "-math.inf).softmax(-1)",
        "test_attention.py::test_a_query_that_may_look_at_nothing_gets_zeros_and_a_finite_gradient",
    ),
    Fault(
        "a large negative number that is not large enough",
        "attention",
        "torch.finfo(scores.dtype).min).softmax(-1).masked_fill(~mask, 0.0)",
        "-20.0).softmax(-1)",
        "test_attention.py::test_what_a_masked_key_holds_does_not_matter",
    ),
    Fault(
        "heads by a direct view",
        "attention",
        "x.view(batch, position, heads, width // heads).transpose(1, 2)",
        "x.view(batch, heads, position, width // heads)",
        "test_attention.py::test_split_heads_on_numbered_cells",
    ),
    Fault(
        "heads concatenated without moving them back",
        "attention",
        "x.transpose(1, 2).flatten(2)",
        "x.reshape(x.shape[0], x.shape[2], -1)",
        "test_attention.py::test_concat_heads_undoes_split_heads",
    ),
    Fault(
        "query and key projections swapped",
        "attention",
        "query_heads = split_heads(self.query_projection(query), self.heads)",
        "query_heads = split_heads(self.key_projection(query), self.heads)",
        "test_attention.py::test_multi_head_equals_a_loop_over_the_heads",
    ),
    Fault(
        "attention dropout in evaluation too",
        "attention",
        "self.dropout if self.training else 0.0",
        "self.dropout",
        "test_attention.py::test_dropout_only_in_training",
    ),
    Fault(
        "a float mask of 0 and 1 let through",
        "masks",
        "if mask.dtype != torch.bool:",
        "if False:",
        "door/test_errors.py::test_masks_of_the_wrong_kind_or_shape",
    ),
    Fault(
        "causal mask aligned with the first key",
        "masks",
        ".tril(key - query)",
        ".tril()",
        "test_masks.py::test_causal_mask_of_a_cached_decoder_is_aligned_with_the_last_key",
    ),
    Fault(
        "a position may not see itself",
        "masks",
        ".tril(key - query)",
        ".tril(key - query - 1)",
        "test_masks.py::test_causal_mask_by_hand",
    ),
    Fault(
        "padding allowed and the rest hidden",
        "masks",
        "(ids != pad_id)",
        "(ids == pad_id)",
        "test_masks.py::test_padding_mask_allows_real_tokens_only",
    ),
    Fault(
        "norm before the sublayer by default",
        "sublayers",
        "pre_norm: bool = False",
        "pre_norm: bool = True",
        "test_sublayers.py::test_post_norm_is_the_paper_and_the_default",
    ),
    Fault(
        "the residual path normalised in pre-norm",
        "sublayers",
        "return x + self.dropout(sublayer(self.norm(x)))",
        "return self.norm(x) + self.dropout(sublayer(self.norm(x)))",
        "test_sublayers.py::test_pre_norm_leaves_the_residual_path_alone",
    ),
    Fault(
        "dropout on the residual path",
        "sublayers",
        "self.norm(x + self.dropout(sublayer(x)))",
        "self.norm(self.dropout(x + sublayer(x)))",
        "test_sublayers.py::test_dropout_hits_the_sublayer_and_not_the_residual_path",
    ),
    Fault(
        "residual connection left out",
        "sublayers",
        "self.norm(x + self.dropout(sublayer(x)))",
        "self.norm(self.dropout(sublayer(x)))",
        "test_sublayers.py::test_post_norm_is_the_paper_and_the_default",
    ),
    Fault(
        "embeddings not multiplied by the square root of d_model",
        "embedding",
        "return self.table(ids) * self.scale",
        "return self.table(ids)",
        "test_embedding.py::test_lookup_is_scaled_by_the_square_root_of_d_model",
    ),
    Fault(
        "position 0 at each cached step",
        "transformer",
        "self.target_positions(self.target_embedding(target), start)",
        "self.target_positions(self.target_embedding(target))",
        "test_transformer.py::test_cached_decoding_equals_full_decoding_at_every_step",
    ),
    Fault(
        "sines and cosines of one frequency too many",
        "embedding",
        "/ d_model)\n    angle",
        "/ (d_model + 2))\n    angle",
        "test_embedding.py::test_sinusoids_by_the_formula",
    ),
    Fault(
        "causal mask only in training",
        "transformer",
        "mask = causal_mask(target.shape[1], start + target.shape[1], device=target.device)",
        "mask = causal_mask(target.shape[1], start + target.shape[1], device=target.device) if self.training else None",
        "test_transformer.py::test_no_logit_sees_a_later_target_token",
    ),
    Fault(
        "no causal mask at all",
        "transformer",
        "mask = causal_mask(target.shape[1], start + target.shape[1], device=target.device)",
        "mask = None",
        "test_transformer.py::test_no_logit_sees_a_later_target_token",
    ),
    Fault(
        "padding not masked in encoder-decoder attention",
        "transformer",
        "return self.decode(target, memory, memory_mask)",
        "return self.decode(target, memory)",
        "test_transformer.py::test_padding_changes_nothing",
    ),
    Fault(
        "padding not masked in the encoder",
        "transformer",
        "return self.encoder(embedded, mask), mask",
        "return self.encoder(embedded), mask",
        "test_transformer.py::test_padding_changes_nothing",
    ),
    Fault(
        "the target padding masked, and with it Marian's start token",
        "transformer",
        "return self.output(self.decoder(embedded, memory, mask, memory_mask, cache))",
        "mask = mask & padding_mask(target, self.config.pad_id)\n"
        "        return self.output(self.decoder(embedded, memory, mask, memory_mask, cache))",
        "parity/test_marian.py::test_from_marian_starting_from_padding_as_marian_does",
    ),
    Fault(
        "target not shifted",
        "transformer",
        "torch.cat((start, target[:, :-1]), dim=1)",
        "target",
        "test_transformer.py::test_shift_right_by_hand",
    ),
    Fault(
        "cross-attention reads the target instead of the memory",
        "decoder",
        "cache.memory = self.cross_attention.project(memory, memory)",
        "cache.memory = self.cross_attention.project(x, x)",
        "test_decoder.py::test_one_layer_by_its_parts",
    ),
    Fault(
        "the memory projected anew at each step",
        "decoder",
        "if cache.memory is None:",
        "if True:",
        "test_decoder.py::test_the_memory_is_projected_once",
    ),
    Fault(
        "the cache forgets what it held",
        "decoder",
        "self.target = torch.cat((held_key, key), dim=2), torch.cat((held_value, value), dim=2)",
        "self.target = key, value",
        "test_decoder.py::test_cached_equals_full_at_every_step",
    ),
    Fault(
        "beams do not take the memory's keys with them",
        "decoder",
        "self.target, self.memory = (",
        "self.target, _ = (",
        "test_decoder.py::test_a_cache_follows_its_rows",
    ),
    Fault(
        "a last layer norm in post-norm too",
        "config",
        "return self.pre_norm if self.final_norm is None else self.final_norm",
        "return True",
        "test_encoder.py::test_a_final_norm_by_default_only_with_pre_norm",
    ),
)


def caught(fault: Fault) -> bool:
    """Plant the fault in a copy of the package, and say whether the test fails.

    Raises:
        ValueError: the text to replace is not in the source, or stands there more than once.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "blockbyblock"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / f"{fault.module}.py"
        source = path.read_text(encoding="utf-8")
        if source.count(fault.old) != 1:
            raise ValueError(f"{fault.name}: {fault.old!r} stands {source.count(fault.old)} times in {fault.module}.py")
        path.write_text(source.replace(fault.old, fault.new), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:nbval",
            "-o",
            "addopts=",
        ]
        result = subprocess.run(
            [*command, str(ROOT / "tests" / fault.test)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode not in (0, 1):  # 1: tests ran and failed; anything else did not get that far
        raise RuntimeError(f"{fault.name}: pytest ended with {result.returncode}\n{result.stdout}{result.stderr}")
    return result.returncode == 1


def main() -> int:
    """Plant every fault; the exit status says whether all were caught."""
    missed = 0
    for fault in FAULTS:
        found = caught(fault)
        missed += not found
        print(f"{'caught' if found else 'MISSED'}  {fault.name:62} {fault.test}", flush=True)
    print(f"{len(FAULTS) - missed} of {len(FAULTS)} faults caught")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
