"""The dataset card, ``README.md``: what the data are, how they were made, and how to load them.

This file decides what a stranger is told. Text of a model is shown in fences that it cannot end, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from evoselfcode.datagen.exporting.columns import feature
from evoselfcode.datagen.exporting.front_matter import front_matter, license_of, size_category
from evoselfcode.datagen.exporting.layouts import WHY, fenced
from evoselfcode.datagen.exporting.made import BIASES, TRAIN, Made, MadeConfig, pattern_of
from evoselfcode.datagen.exporting.source import CHOSEN, LEFT_OUT
from evoselfcode.datagen.filters.gates import CODE_REASONS

LONGEST_EXAMPLE = 4_000
"""Letters of an example that a card shows."""

ABOUT = {
    "rows": "every field of every function, numbers as columns of their own",
    "prompt-completion": "`prompt` is the function's head and docstring, `completion` its body",
    "messages": "a user asks for the function, an assistant writes it",
    "fim-psm": "fill-in-the-middle texts, prefix first, with the sentinels of the model's family",
    "fim-spm": "fill-in-the-middle texts, suffix first, with the sentinels of the model's family",
    "text": "the function as it stands",
}
"""What each layout is."""


def card(made: Made) -> str:
    """Write the card."""
    parts = [*_summary(made), *_making(made), *_funnel(made), *_cleaning(made), *_split(made), *_use(made), *_end(made)]
    return front_matter(_metadata(made)) + "\n" + "\n\n".join(parts) + "\n"


def _metadata(made: Made) -> dict[str, Any]:
    return {
        "pretty_name": made.title,
        "language": ["en", "code"],
        **license_of(made.config.license),
        "size_categories": [size_category(made.rows)],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "code", "python", "evoselfcode"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "configs": [
            {
                "config_name": config.name,
                **({"default": True} if number == 0 else {}),
                "data_files": [
                    {"split": split, "path": pattern_of(config.name, split, made.kind)} for split in config.splits
                ],
            }
            for number, config in enumerate(made.configs)
            if config.splits
        ],
        "dataset_info": [_info(config) for config in made.configs if config.splits],
    }


def _info(config: MadeConfig) -> dict[str, Any]:
    def total(name: str, split: str | None = None) -> int:
        return sum(getattr(file, name) for file in config.files if split in (None, file.split))

    return {
        "config_name": config.name,
        "features": [feature(column) for column in config.columns],
        "splits": [
            {"name": split, "num_bytes": total("raw_bytes", split), "num_examples": config.rows(split)}
            for split in config.splits
        ],
        "download_size": total("size"),
        "dataset_size": total("raw_bytes"),
    }


def _summary(made: Made) -> Iterator[str]:
    yield f"# {plain(made.title)}"
    models = ", ".join(f"{code(name)} ({count:,})" for name, count in made.models.items()) or "an unknown model"
    yield (
        f"{made.rows:,} Python functions, all of them written by language models: {models}. Names, "
        f"descriptions and code were generated, filtered and de-duplicated by {plain(made.generator)}."
    )
    rows = [
        f"| `{config.name}` | {ABOUT[config.name]} | "
        + " | ".join(f"{config.rows(split):,}" for split in made.splits)
        + " |"
        for config in made.configs
    ]
    heads = " | ".join(made.splits)
    rule = " | ".join("---:" for _ in made.splits)
    yield "\n".join([f"| configuration | what it is | {heads} |", f"| --- | --- | {rule} |", *rows])
    for config in made.configs:
        for why, count in config.left_out.items():
            yield f"{count:,} functions are not in `{config.name}`: {WHY[why]}."


def _making(made: Made) -> Iterator[str]:
    yield "## How it was made"
    if not made.history.steps:
        yield "Nobody knows: no manifest of a run lies beside the rows."
    for step in made.history.steps:
        by = f" by {code(step.model)}" if step.model else ""
        server = f" on {plain(step.server)}" if step.server else ""
        when = step.began if step.began == step.ended else f"{step.began} to {step.ended}"
        settings = ", ".join(f"{key} {code(_json(value))}" for key, value in step.settings.items())
        versions = ", ".join(f"{plain(name)} {plain(version)}" for name, version in step.versions.items())
        yield "\n".join(
            [f"- **{step.stage}**{by}{server}, {when}.", *([f"  Settings: {settings}."] if settings else []),
             f"  Versions: {versions}."]
        )  # fmt: skip
    if made.arms:
        arms = ", ".join(f"{code(arm)} {count:,}" for arm, count in made.arms.items())
        yield f"Functions by the way they were asked for (L2R: left to right; FIM: fill in the middle): {arms}."


def _funnel(made: Made) -> Iterator[str]:
    metrics = made.history.metrics
    yield "## What was left out"
    lines = []
    if metrics:
        lines += [f"| draws | {metrics.get('draws', 0):,} |"]
        reasons = _reasons(metrics)
        lines += [f"| {_meaning(reason)} ({code(reason)}) | −{count:,} |" for reason, count in reasons.items()]
        lines += [f"| named like a benchmark's task | −{metrics.get('quarantined', 0):,} |"]
        lines += [f"| kept by the filter | {metrics.get('kept', 0):,} |"]
    lines += [f"| lines that were passed over: {LEFT_OUT[why]} | −{count:,} |" for why, count in made.left_out.items()]
    lines += [f"| exported | {made.rows:,} |"]
    yield "\n".join(["| | functions |", "| --- | ---: |", *lines])
    chosen = made.history.chosen
    if "chosen" in chosen and made.source[0].startswith(CHOSEN):
        weights = ", ".join(f"{code(name)} {weight:g}" for name, weight in made.history.weights.items())
        yield (
            f"Of {chosen.get('rows', 0):,} functions for {chosen.get('names', 0):,} names, {chosen['chosen']:,} were "
            "chosen: the best of each name, ranked among functions of the same topic and complexity"
            + (f" by {weights}." if weights else ".")
        )


def _reasons(metrics: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for arm in metrics.get("arms", {}).values():
        for reason, count in arm.get("reasons", {}).items():
            counts[reason] = counts.get(reason, 0) + count
    counts.pop("quarantined", None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _meaning(reason: str) -> str:
    return CODE_REASONS.get(reason, "another reason").replace("|", "\\|")


def _cleaning(made: Made) -> Iterator[str]:
    yield "## Benchmarks"
    yield made.history.decontamination()
    yield "## Near duplicates"
    filters = made.history.filters
    threshold, off = filters.get("near_duplicates"), "near_duplicate" in filters.get("disabled_gates", ())
    said = f"from a Jaccard index of {threshold} on, the better one was kept"
    said = "nobody knows which went" if not threshold else "all were kept: the gate was switched off" if off else said
    yield f"Of functions that share most of the runs of five tokens of their bodies, {said}."


def _split(made: Made) -> Iterator[str]:
    yield "## Splits"
    if made.config.validation == 0:
        yield "There is one split."
        return
    sets, largest = made.components
    yield (
        f"Functions of one canonical name, of one syntax tree but for names, or with a Jaccard index of "
        f"{made.config.near_duplicates} or more are on one side. That makes {sets:,} sets, the largest of {largest:,} "
        f"functions; each goes to `validation` with a chance of {made.config.validation:g} by a hash of its smallest "
        "member."
    )


def _use(made: Made) -> Iterator[str]:
    yield "## Known biases"
    yield "\n".join(f"- {bias}" for bias in BIASES)
    yield "## Licence"
    of_model = _license(made.config.model_license)
    yield f"The dataset: {_license(made.config.license)}. The model that wrote it: {of_model}."
    if made.config.license is None or made.config.model_license is None:
        yield (
            "**Find out what an unknown licence is before you use or share these data.** A model's licence may bind "
            "what it wrote."
        )
    yield "## Load it"
    config = next((config for config in made.configs if config.splits), None)
    name = config.name if config else "rows"
    yield fenced(
        f'from datasets import load_dataset\n\nrows = load_dataset("path/to/this/folder", "{name}", split="{TRAIN}")'
    )
    yield "`SHA256SUMS` has the digest of every file: `sha256sum -c SHA256SUMS`."


def _license(name: str | None) -> str:
    return "**unknown**" if name is None else code(name)


def _end(made: Made) -> Iterator[str]:
    shown = next((config for config in made.configs if config.example), None)
    if shown is not None and shown.example is not None:
        yield "## A row"
        filled = {key: value for key, value in shown.example.items() if value is not None}
        text = _json(filled, indent=True)
        cut = text if len(text) <= LONGEST_EXAMPLE else text[:LONGEST_EXAMPLE] + "\n…"
        yield f"Of `{shown.name}`, without the columns that are empty:"
        yield fenced(cut, "json")
    if made.remarks:
        yield "## Remarks"
        yield "\n".join(f"- {plain(remark)}" for remark in made.remarks)


def _json(value: Any, *, indent: bool = False) -> str:
    """Write plain data; what is no printable letter is escaped, for it may be a model's."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode()
    return "".join(one if one.isprintable() or one == "\n" else f"\\u{ord(one):04x}" for one in text)


def plain(text: str) -> str:
    """Write a text that others have given so that Markdown reads nothing into it."""
    shown = "".join(one if one.isprintable() else "\ufffd" for one in text)
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|!~$&" else one for one in shown)


def code(text: str) -> str:
    """Write a short text as code."""
    shown = "".join(one if one.isprintable() else "\ufffd" for one in text).replace("`", "'").replace("|", "¦")
    return f"`{shown}`" if shown.strip() else "(nothing)"
