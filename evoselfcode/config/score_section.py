"""The section of the stage that scores code that is written."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

ScoreText = Literal["code", "bare", "body", "description", "name", "plain_name"]
"""The texts of a row whose log-probabilities are asked for; docs/explanation/scores.md says what each is for."""

SCORE_TEXTS: tuple[ScoreText, ...] = ("code", "bare", "body", "description", "name", "plain_name")

_Text = Annotated[str, Meta(min_length=1)]


class Score(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How code is scored."""

    rows: Annotated[
        _Text | None,
        Meta(
            description="JSONL file with func_name and code; null takes code/filtered.jsonl below output.dir, which "
            "datagen-code writes."
        ),
    ] = None
    texts: Annotated[
        tuple[ScoreText, ...],
        Meta(
            min_length=1,
            max_length=len(SCORE_TEXTS),
            description="What is asked about each row (docs/explanation/scores.md); what the server cannot score is "
            "left out.",
        ),
    ] = SCORE_TEXTS
    concurrency: Annotated[
        int,
        Meta(
            ge=1,
            le=4096,
            description="Requests in flight at once, in place of api.concurrency: log-probabilities of a prompt take "
            "much of a server's memory.",
        ),
    ] = 4
    description_prompt: Annotated[
        _Text,
        Meta(
            description="What stands between a function and its description where that is scored. A space follows; "
            "spaces at its end are cut off."
        ),
    ] = "\n\nIn one sentence, the function above:"
