"""Export: read rows twice, once to learn what they are and once to write them, and put it all in one folder.

This file decides the order of the work. What a layout is, how files are written and which functions stay together is
each its own file's. What is in memory of a row are some numbers.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import msgspec

from evoselfcode.config import Export
from evoselfcode.datagen.exporting.card import card
from evoselfcode.datagen.exporting.croissant import croissant
from evoselfcode.datagen.exporting.formatting import formatted, require_ruff
from evoselfcode.datagen.exporting.history import history_of
from evoselfcode.datagen.exporting.layouts import Layout, Shown, about, layouts_of
from evoselfcode.datagen.exporting.learning import Learnt, Progress, learn
from evoselfcode.datagen.exporting.made import SPLITS, TRAIN, VALIDATION, Made, MadeConfig, MadeFile
from evoselfcode.datagen.exporting.place import MANIFEST, SUMS, make_ready, new_folder
from evoselfcode.datagen.exporting.shards import MEGABYTE, Shards, require_libraries
from evoselfcode.datagen.exporting.source import LEFT_OUT, Source, source_of
from evoselfcode.storage import atomic_write, digest_of, write_document

AT_ONCE = 256
"""Functions that are formatted at once."""

_LIBRARIES = {"parquet": ("pyarrow",), "jsonl": (), "jsonl.zst": ("zstandard",)}


def export_run(
    run: Path,
    out: Path,
    config: Export,
    *,
    overwrite: bool = False,
    progress: Progress = lambda doing, rows: None,
) -> Made:
    """Make a dataset of a run of the code stage, or of a file of functions.

    The same rows and settings give the same bytes.

    Args:
        run: The folder of the run, or the file.
        out: Folder to write.
        config: What is made.
        overwrite: Whether an export that is in `out` is replaced.
        progress: Told how far it is; what it raises ends the work, and nothing is written.

    Raises:
        UsageError: There is nothing to export, a layout cannot be made, a library is not installed, or there is
            something in `out`.
        StorageError: A file cannot be read or written; nothing is left of the export.
    """
    make_ready(out, overwrite=overwrite)
    require_libraries(config.files)
    if config.format_code:
        require_ruff()
    source = source_of(run)
    with new_folder(out, overwrite=overwrite) as folder:
        learnt = learn(source, config, folder, progress)
        layouts, remarks = layouts_of(config, list(learnt.models), learnt.found.columns())
        configs = _write(source, config, folder, learnt, layouts, progress)
        history = history_of(source.folder)
        made = Made(
            config=config,
            kind=config.files,
            generator=_generator(),
            versions=_versions(config),
            source=(source.path.name, digest_of(source.path)),
            rows=source.rows,
            left_out=dict(sorted(source.left_out.items())),
            components=learnt.components,
            models=learnt.most("models"),
            arms=learnt.most("arms"),
            history=history,
            configs=configs,
            remarks=[*source.remarks, *learnt.remarks, *remarks, *history.remarks, *_remarks(config, source)],
        )
        _finish(folder, made)
    return made


def _generator() -> str:
    return f"evoselfcode {version('evoselfcode')}"


def _versions(config: Export) -> dict[str, str]:
    libraries = ("evoselfcode", "msgspec", "numpy", "orjson", *_LIBRARIES[config.files])
    libraries += ("ruff",) if config.format_code else ()
    return {"python": platform.python_version()} | {name: version(name) for name in libraries}


def _remarks(config: Export, source: Source) -> Iterator[str]:
    for why, count in sorted(source.left_out.items()):
        yield f"{count} lines of {source.path.name} were passed over: {LEFT_OUT[why]}"
    if config.license is None:
        yield "the licence of the dataset is unknown; export.license says it"
    if config.model_license is None:
        yield "the licence of the model that wrote the code is unknown; export.model_license says it"


def _write(
    source: Source,
    config: Export,
    folder: Path,
    learnt: Learnt,
    layouts: list[Layout],
    progress: Progress,
) -> list[MadeConfig]:
    """Read the rows for the second time, and write them in every layout."""
    made = [MadeConfig(layout.config, layout.columns) for layout in layouts]
    most = config.shard_mb * MEGABYTE
    shards: dict[tuple[str, str], Shards] = {}
    with ExitStack() as open_files:
        for number, shown in enumerate(_shown(source, config)):
            split = VALIDATION if learnt.validation[number] else TRAIN
            for layout, one in zip(layouts, made, strict=True):
                row = layout.make(shown)
                if isinstance(row, str):
                    one.left_out[row] = one.left_out.get(row, 0) + 1
                    continue
                one.example = one.example or row
                place = layout.config, split
                if place not in shards:
                    (folder / "data" / layout.config).mkdir(parents=True, exist_ok=True)
                    shards[place] = Shards(folder / "data" / layout.config, split, config.files, layout.columns, most)
                    open_files.callback(shards[place].abandon)
                shards[place].add(row)
            progress("written", number + 1)
        for one in made:
            for split in SPLITS:
                if (one.name, split) in shards:
                    one.files += _named(folder, one.name, split, shards[one.name, split])
    return made


def _named(folder: Path, config: str, split: str, shards: Shards) -> Iterator[MadeFile]:
    for file in shards.close():
        yield MadeFile(
            path=file.path.relative_to(folder).as_posix(),
            config=config,
            split=split,
            rows=file.rows,
            raw_bytes=file.raw_bytes,
            size=file.path.stat().st_size,
            sha256=digest_of(file.path),
        )


def _shown(source: Source, config: Export) -> Iterator[Shown]:
    generator = _generator()
    rows = source.read()
    while few := list(islice(rows, AT_ONCE)):
        texts = formatted([row.code for row in few]) if config.format_code else [None] * len(few)
        for row, text in zip(few, texts, strict=True):
            yield Shown(row, text, about(row, config, generator))


def _finish(folder: Path, made: Made) -> None:
    """Write what says what the files are; the digests last, for they are of all."""
    atomic_write(folder / "README.md", [card(made).encode()])
    write_document(folder / "croissant.json", croissant(made))
    beside = [
        {"path": name, "bytes": (folder / name).stat().st_size, "sha256": digest_of(folder / name)}
        for name in ("README.md", "croissant.json")
    ]
    write_document(folder / MANIFEST, _document(made, beside))
    sums = [(file.sha256, file.path) for file in made.files]
    sums += [(digest_of(folder / name), name) for name in ("README.md", "croissant.json", MANIFEST)]
    atomic_write(
        folder / SUMS, [f"{digest}  {path}\n".encode() for digest, path in sorted(sums, key=lambda one: one[1])]
    )


def _document(made: Made, beside: list[dict[str, int | str]]) -> dict[str, object]:
    """Return what is in ``export.json``."""
    return {
        "version": 1,
        "stage": "export",
        "versions": made.versions,
        "source": {"file": made.source[0], "sha256": made.source[1], "rows": made.rows, "left_out": made.left_out},
        "settings": msgspec.to_builtins(made.config),
        "sets": {"count": made.components[0], "largest": made.components[1]},
        "configs": {
            config.name: {"splits": {split: config.rows(split) for split in config.splits}, "left_out": config.left_out}
            for config in made.configs
        },
        "files": [
            *({"path": file.path, "config": file.config, "split": file.split, "rows": file.rows, "bytes": file.size,
               "sha256": file.sha256} for file in made.files),
            *beside,
        ],
        "warnings": made.remarks,
    }  # fmt: skip
