"""Turn any code-model endpoint into a filtered, de-duplicated code dataset.

The public names are loaded when they are first used: ``import evoselfcode`` alone imports no HTTP library.

Example:
    >>> from evoselfcode import OpenAICompletionClient, RunConfig, generate_funcnames_fim
    >>> config = RunConfig.from_mapping({"namegen": {"num_requests": 5}})
    >>> rows = generate_funcnames_fim(OpenAICompletionClient(), config, mode="L2R")
    >>> rows[0]["source"]
    'L2R'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evoselfcode.clients import OpenAICompletionClient as OpenAICompletionClient
    from evoselfcode.config import RunConfig as RunConfig
    from evoselfcode.datagen.code.codegen import CodeRow as CodeRow
    from evoselfcode.datagen.code.codegen import generate_code as generate_code
    from evoselfcode.datagen.code.codegen import stream_code as stream_code
    from evoselfcode.datagen.pipeline.namegen import NameRow as NameRow
    from evoselfcode.datagen.pipeline.namegen import generate_funcnames_fim as generate_funcnames_fim
    from evoselfcode.datagen.pipeline.namegen import stream_funcnames as stream_funcnames
    from evoselfcode.datagen.scoring.library import ascore_rows as ascore_rows
    from evoselfcode.datagen.scoring.library import score_rows as score_rows
    from evoselfcode.datagen.scoring.numbers import ScoreRow as ScoreRow
    from evoselfcode.errors import EvoselfcodeError as EvoselfcodeError

__version__ = "0.1.0"

_HOMES = {
    "CodeRow": "evoselfcode.datagen.code.codegen",
    "EvoselfcodeError": "evoselfcode.errors",
    "NameRow": "evoselfcode.datagen.pipeline.namegen",
    "OpenAICompletionClient": "evoselfcode.clients",
    "RunConfig": "evoselfcode.config",
    "ScoreRow": "evoselfcode.datagen.scoring.numbers",
    "ascore_rows": "evoselfcode.datagen.scoring.library",
    "generate_code": "evoselfcode.datagen.code.codegen",
    "generate_funcnames_fim": "evoselfcode.datagen.pipeline.namegen",
    "score_rows": "evoselfcode.datagen.scoring.library",
    "stream_code": "evoselfcode.datagen.code.codegen",
    "stream_funcnames": "evoselfcode.datagen.pipeline.namegen",
}

__all__ = [
    "CodeRow",
    "EvoselfcodeError",
    "NameRow",
    "OpenAICompletionClient",
    "RunConfig",
    "ScoreRow",
    "__version__",
    "ascore_rows",
    "generate_code",
    "generate_funcnames_fim",
    "score_rows",
    "stream_code",
    "stream_funcnames",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
