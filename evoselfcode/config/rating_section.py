"""The section of the stage that has code rated by a model, and where that model is."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from evoselfcode.config.addresses import addresses

_Text = Annotated[str, Meta(min_length=1)]
_Most = Annotated[int, Meta(ge=0, le=100_000)]


class RaterApi(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the rater is; what is left out is that of the section api."""

    base_url: Annotated[
        str | tuple[str, ...] | None,
        Meta(description="Address of the rater, or a list of its replicas'; null is api.base_url, with its key."),
    ] = None
    headless: Annotated[bool, Meta(description="As api.headless, for the base_url that is given here.")] = False
    api_key: Annotated[
        str | None,
        Meta(
            description="Bearer token of the rater; null is api.api_key, or none where base_url is given: a key goes "
            "to no other server than its own. Never shown."
        ),
    ] = None
    api_key_file: Annotated[
        _Text | None, Meta(description="File that holds it, in place of api_key; nobody else may read it (mode 0600).")
    ] = None
    concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=4096)] | None,
        Meta(description="Requests in flight at once; null is api.concurrency."),
    ] = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of base_url, one for each replica that is listed; none where it is left out."""
        return () if self.base_url is None else addresses(self.base_url)

    @property
    def is_server(self) -> bool:
        """Whether a server of the rater's own is named."""
        return self.addresses not in ((), ("local:",))

    def __repr__(self) -> str:
        return f"RaterApi({masked_rater(self)!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(masked_rater(self).items())


def masked_rater(api: RaterApi) -> dict[str, Any]:
    """Return the section as plain data, the key masked."""
    return {
        "base_url": api.base_url,
        "headless": api.headless,
        "api_key": "***" if api.api_key else api.api_key,
        "api_key_file": api.api_key_file,
        "concurrency": api.concurrency,
    }


class Rating(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How code is rated, and how the ratings are checked."""

    rows: Annotated[
        _Text | None,
        Meta(
            description="JSONL file with func_name and code; null takes code/filtered.jsonl below output.dir, which "
            "datagen-code writes."
        ),
    ] = None
    model: Annotated[
        _Text | None,
        Meta(description="Model that rates, as its server lists it; null is model, which then rates what it wrote."),
    ] = None
    api: RaterApi = RaterApi()
    chat: Annotated[
        bool,
        Meta(
            description="Ask a chat model, by /v1/chat/completions with the prompt as the message of a user; false has "
            "a prompt completed by /v1/completions."
        ),
    ] = False
    seed: Annotated[
        int, Meta(ge=0, le=2**62, description="Seed of the orders and of the choice of rows for the checks.")
    ] = 0
    n: Annotated[
        int, Meta(ge=1, le=8, description="Replies for each function; the first that can be read is taken.")
    ] = 1
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature; 0 is greedy.")] = 0.0
    max_new_tokens: Annotated[int, Meta(ge=1, le=32768, description="Most tokens of one reply.")] = 80
    logprobs: Annotated[
        int,
        Meta(
            ge=0,
            le=20,
            description="Alternatives asked for in the place of each token, to weigh the five ratings by how probable "
            "each is; 0 takes what is written. OpenAI's and Fireworks' completions give 5 at most.",
        ),
    ] = 5
    retest: Annotated[_Most, Meta(description="How many functions are rated a second time, in another order.")] = 200
    mutants: Annotated[_Most, Meta(description="How many functions are rated once more with a bug put in.")] = 200
    failed: Annotated[
        _Most,
        Meta(description="How many functions are rated though they failed when filters.execute had them run."),
    ] = 200
