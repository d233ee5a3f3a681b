"""Faults of the language model and the classifier in the page: in their arithmetic, and in what a reader can do."""

from planted import Fault

ENGINE = "site/test_applications_engine.py::"
PAGE = "site/test_applications_page.py::"

FAULTS = (
    Fault(
        "a language model's token stands at position 0",
        "live/language_model.mjs",
        "const places = prefixes.map(({ length }) => length)",
        "const places = prefixes.map(() => 0)",
        f"{ENGINE}test_every_logit_of_the_language_model_equals_pytorch",
    ),
    Fault(
        "the feed-forward network is added to what stood before attention",
        "live/language_model.mjs",
        "x = layer.feed_forward_add_norm(self.x, layer.feed_forward(self.x))",
        "x = layer.feed_forward_add_norm(x, layer.feed_forward(self.x))",
        f"{ENGINE}test_every_logit_of_the_language_model_equals_pytorch",
    ),
    Fault(
        "a language model with a bias at its output passes for one without",
        "live/language_model.mjs",
        "final_norm: false, output_bias: false,",
        "final_norm: false,",
        f"{ENGINE}test_a_model_of_another_make_is_refused_by_name",
    ),
    Fault(
        "a model for any task is taken",
        "live/layers.mjs",
        "if (task !== wanted) throw",
        "if (!task) throw",
        f"{ENGINE}test_a_model_for_another_task_is_refused",
    ),
    Fault(
        "what was read of another text stays in the cache",
        "live/generation.mjs",
        "this.steps.slice(0, differs < 0 ? ids.length : differs)",
        "this.steps.slice(0, ids.length)",
        f"{ENGINE}test_what_was_read_before_changes_nothing",
    ),
    Fault(
        "<start> may be written",
        "live/decoding.mjs",
        "for (const never of [padding, start])",
        "for (const never of [padding])",
        f"{ENGINE}test_what_may_come_next_and_every_weight_equal_pytorch",
    ),
    Fault(
        "[CLS] is left out of the mean",
        "live/classifier.mjs",
        'pooling === "mean" ? meanOf(outputs)',
        'pooling === "mean" ? meanOf(outputs.slice(-Math.max(1, outputs.length - 1)))',
        f"{ENGINE}test_logits_probabilities_and_weights_of_the_classifier_equal_pytorch",
    ),
    Fault(
        "the classifier is read off at the last token",
        "live/classifier.mjs",
        "meanOf(outputs) : outputs[0]",
        "meanOf(outputs) : outputs.at(-1)",
        f"{ENGINE}test_logits_probabilities_and_weights_of_the_classifier_equal_pytorch",
    ),
    Fault(
        "the column of [CLS] is shown in place of its row",
        "live/classifying.mjs",
        "heads.map(rows => rows[0])",
        "heads.map(rows => rows.map(row => row[0]))",
        f"{PAGE}test_where_cls_looks_is_pytorchs_in_every_layer_and_head",
    ),
    Fault(
        "a new beginning keeps the tokens of the old one",
        "live/writing.mjs",
        'model.set("chosen", []) // they went on from the beginning before',
        "",
        f"{PAGE}test_a_new_beginning_leaves_the_old_tokens_behind",
    ),
    Fault(
        "a draw leaves temperature and top-k aside",
        "live/writing.mjs",
        "take(drawGroup(shown().kept).place)",
        "take(drawGroup(distribution(found.groups, [1, 0, 1]).kept).place)",
        f"{PAGE}test_a_draw_takes_the_token_at_which_the_chance_falls",
    ),
    Fault(
        "the numbers of the first text stand beside another one",
        "live/writing.mjs",
        'const unknown = !live && model.get("beginning") !== model.get("first").beginning',
        "const unknown = false",
        f"{PAGE}test_before_the_model_is_there_no_other_text_has_numbers",
    ),
    Fault(
        "a text that is refused leaves the answer to the one before",
        "live/classifying.mjs",
        '      scene.classList.add("blank")\n',
        "",
        f"{PAGE}test_what_is_too_long_is_refused_and_leaves_nothing_of_the_text_before",
    ),
    Fault(
        "the still table is drawn from what the model would not write",
        "live/writing.py",
        "logits[[config.pad_id, config.start_id]] = -torch.inf",
        "pass",
        "live/test_live_applications.py::test_the_still_table_is_what_the_generator_says_comes_next",
    ),
)
