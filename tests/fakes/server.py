"""One fake server: a request's method, path and body in; status, headers and body out. No socket, no clock."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from . import brain, scoring, shapes
from .row import Row
from .shapes import Reply, Text

TEXT_AS_IDS = 1_000_000
"""The fake tokenizer: one token per character, its code point above this; special tokens keep their own ids."""


class Refused(Exception):
    """A refusal on its way to the client."""

    def __init__(self, status: int, message: str, envelope: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.status, self.envelope, self.details = status, envelope, details


@dataclass(frozen=True)
class Understood:
    """What the model behind the server is asked to write."""

    task: Literal["fim", "l2r", "chat", "garbage"]
    prefix: str
    suffix: str = ""

    def write(self, draw: brain.Draw, leak: str) -> str:
        """Write the text."""
        match self.task:
            case "fim":
                return brain.middle(self.prefix, self.suffix, draw) + leak
            case "l2r":
                return brain.continuation(self.prefix, draw)
            case "chat":
                return brain.chatter(self.prefix, draw)
        return brain.garbage(f"{self.prefix}\0{self.suffix}", draw)


class Fake:
    """A server that behaves as its row says.

    Args:
        row: How it behaves.
        faults: Replies to give instead of its own to the first requests; ``None`` lets one pass.

    Attributes:
        row: How it behaves.
        calls: (method, path, decoded body) of each request, in order.
    """

    def __init__(self, row: Row, faults: Iterable[Reply | None] = ()) -> None:
        self.row = row
        self.calls: list[tuple[str, str, Any]] = []
        self.api = urlsplit(row.base_url).path.rstrip("/")
        self._root = self.api.removesuffix("/v1")
        self._faults = deque(faults)
        self._number = itertools.count()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request. `path` is the whole path of the URL; `headers` have lower-case names."""
        number = next(self._number)
        try:
            document = json.loads(body) if body else None
        except ValueError:
            document = None
        self.calls.append((method, path, document))
        fault = self._faults.popleft() if self._faults else None
        try:
            status, more, content = fault or self._routed(method, path, headers, document, number)
        except Refused as refused:
            envelope = refused.envelope or self.row.error
            status, more, content = shapes.error(envelope, refused.status, str(refused), **refused.details)
        return status, {**more, **self.row.headers}, content

    def _routed(self, method: str, path: str, headers: Mapping[str, str], body: Any, number: int) -> Reply:
        row = self.row
        if row.key is not None and headers.get("authorization") != f"Bearer {row.key}":
            raise Refused(401, "Unauthorized", "string")
        if (method, path) == ("GET", f"{self.api}/models"):
            return shapes.reply(200, shapes.models_document(row))
        if method == "POST" and path.startswith(self.api) and path.removeprefix(self.api) in row.endpoints:
            if not isinstance(body, dict):
                raise Refused(400, "the body is not a JSON object")
            status, more, content = self._openai(path.removeprefix(self.api), body, number)
            return status, more, row.padding + content
        if method == "POST" and path.removeprefix(self._root) in row.natives:
            return self._native(path.removeprefix(self._root), body, number)
        envelope, message = row.not_found
        if envelope == "text":
            return 404, {"content-type": "text/plain"}, message.encode()
        raise Refused(404, message, envelope)

    def _openai(self, endpoint: str, body: dict[str, Any], number: int) -> Reply:
        row = self.row
        self._check(body)
        if told := scoring.refusal(row, body):
            raise Refused(400, told)
        if endpoint == "/chat/completions":
            prompt = Understood("chat", "".join(message["content"] for message in body.get("messages", [])))
            if row.chat_fields and isinstance(body.get("prefix"), str):
                prompt = Understood("fim", body["prefix"], body.get("suffix", ""))
            return shapes.reply(200, shapes.chat_document(row, self._draw([prompt], body, number), 8))
        asked = self._understand(body)
        drawn = self._draw(asked, body, number)
        prompt_tokens = sum(len(brain.tokens(one.prefix + one.suffix)) for one in asked)
        if endpoint == "/fim/completions":
            return shapes.reply(200, shapes.chat_document(row, drawn, prompt_tokens))
        top = body.get("logprobs")
        document = shapes.completion_document(row, drawn, prompt_tokens, top)
        return shapes.reply(200, scoring.with_prompt(row, body, document))

    def _check(self, body: dict[str, Any]) -> None:
        """Refuse what this server refuses."""
        row = self.row
        for name in body:
            if row.fields is not None and name not in row.fields:
                status, message, envelope = row.unknown_field
                raise Refused(status, message.replace("{field}", name), envelope)
        if row.checks_model and body.get("model") != row.model:
            raise Refused(404, f"The model `{body.get('model')}` does not exist.", code="model_not_found")
        if self._refuses_suffix(body):
            status, message = row.suffix_error
            raise Refused(status, message.replace("{model}", row.model), **row.suffix_details)
        n, top = body.get("n", 1), body.get("logprobs")
        if row.n and n > row.n:
            raise Refused(row.n_error[0], row.n_error[1].replace("{n}", str(n)))
        if row.greedy_needs_n1 and n > 1 and body.get("temperature") == 0:
            raise Refused(400, f"n must be 1 when using greedy sampling, got {n}.")
        if row.top_k_above_zero and body.get("top_k") == 0:
            raise Refused(400, "top_k must be -1 (disable), or at least 1, got 0.")
        if isinstance(top, int) and top > row.max_logprobs:
            raise Refused(400, f"Requested sample logprobs of {top}, which is greater than max allowed")
        if row.max_stops is not None and len(body.get("stop", [])) > row.max_stops:
            raise Refused(422 if row.error == "tgi" else 400, f"stop has more than {row.max_stops} strings")
        if row.top_p_below_one and body.get("top_p", 0.9) >= 1:
            raise Refused(422, "`top_p` must be > 0.0 and < 1.0")
        if row.string_prompt_only and not isinstance(body.get("prompt", ""), str):
            raise Refused(400, "prompt must be a string")

    def _refuses_suffix(self, body: dict[str, Any]) -> bool:
        match self.row.suffix:
            case "refused":
                return body.get("suffix") is not None
            case "refused-key":
                return "suffix" in body
            case "refused-text":
                return bool(body.get("suffix"))
            case "rendered":
                return bool(body.get("suffix")) and not self.row.insert
        return False

    def _understand(self, body: dict[str, Any]) -> list[Understood]:
        """Read the prompts of ``/v1/completions``, and of Mistral's FIM endpoint."""
        row, prompt, suffix = self.row, body["prompt"], body.get("suffix")
        if row.suffix == "rendered-none" and suffix != "":
            return [Understood("fim", str(prompt), str(suffix))]
        if row.suffix in ("rendered", "rendered-none") and suffix:
            return [Understood("fim", prompt, suffix)]
        if row.suffix == "garbage" and suffix:
            return [Understood("garbage", prompt, suffix)]
        many = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
        return [self._read(one) for one in (prompt if many else [prompt])]

    def _read(self, prompt: str | list[int]) -> Understood:
        """Read one raw prompt as the model does: with its sentinels, or as text to continue."""
        row = self.row
        if row.ids_only is not None:
            return self._read_ids(prompt, row.ids_only)
        text = prompt if isinstance(prompt, str) else _decode(prompt)
        if row.chat_templated:
            return Understood("chat", text)
        found = row.parts(text)
        return Understood("fim", *found) if found else Understood("l2r", text)

    def _read_ids(self, prompt: str | list[int], ids: tuple[int, int]) -> Understood:
        suffix_id, prefix_id = ids
        if isinstance(prompt, str) or prompt[:2] != [1, suffix_id] or prefix_id not in prompt:
            return Understood("l2r", prompt if isinstance(prompt, str) else _decode(prompt))
        at = prompt.index(prefix_id)
        return Understood("fim", _decode(prompt[at + 1 :]), _decode(prompt[2:at]))

    def _draw(self, asked: list[Understood], body: dict[str, Any], number: int) -> list[Text]:
        """Draw ``n`` texts of each prompt, prompt-major."""
        row = self.row
        seed = body.get("seed", body.get("random_seed"))
        first = seed if row.seeds and seed is not None else 1000 * (number + 1)
        stops = body.get("stop") or []
        stops = [stops] if isinstance(stops, str) else stops
        n = body.get("n", body.get("n_cmpl", 1)) if row.n else 1
        drawn = []
        for prompt in asked:
            for i in range(n):
                text = prompt.write(brain.Draw(first + i, body.get("temperature", 1.0)), row.leak)
                drawn.append(_cut(text, body.get("max_tokens", 16), stops if row.stops else []))
        return drawn

    def _native(self, path: str, body: dict[str, Any], number: int) -> Reply:
        row = self.row
        if path == "/tokenize":
            ids = _encode(body.get("prompt", body.get("content", "")))
            return shapes.reply(200, {"count": len(ids), "max_model_len": 32768, "tokens": ids})
        if path in ("/generate", "/get_ppl"):
            return shapes.reply(200, scoring.native(row, body))
        if path == "/infill":
            return self._infill(body, number)
        suffix, raw = body.get("suffix"), body.get("raw", False)
        if suffix and not raw and not row.insert:
            raise Refused(row.suffix_error[0], row.suffix_error[1].replace("{model}", row.model), "string")
        if suffix and not raw:
            asked = Understood("fim", body["prompt"], suffix)
        elif raw:
            found = row.parts(body["prompt"])
            asked = Understood("fim", *found) if found else Understood("l2r", body["prompt"])
        else:
            asked = Understood("chat", body["prompt"])
        options = body.get("options", {})
        drawn = self._draw([asked], {**options, "max_tokens": options.get("num_predict", 128)}, number)
        wanted = bool(body.get("logprobs"))
        return shapes.reply(200, shapes.ollama_document(row, drawn[0], len(asked.prefix), logprobs=wanted))

    def _infill(self, body: dict[str, Any], number: int) -> Reply:
        row = self.row
        if row.infill_error is not None:
            raise Refused(*row.infill_error)
        n = body.get("n_cmpl", 1)
        if n > row.n:
            raise Refused(row.n_error[0], row.n_error[1].replace("{n}", str(n)))
        asked = Understood("fim", body["input_prefix"], body["input_suffix"])
        drawn = self._draw([asked], {**body, "max_tokens": body.get("n_predict", -1)}, number)
        results = [shapes.infill_document(row, i, one, 9, body.get("n_probs", 0)) for i, one in enumerate(drawn)]
        return shapes.reply(200, results if len(results) > 1 else results[0])


def _cut(text: str, most: int, stops: list[str]) -> Text:
    """Write `text` token by token until it ends, a stop string shows or `most` tokens are spent."""
    pieces: list[str] = []
    for piece in brain.tokens(text):
        if len(pieces) == most:
            return Text(tuple(pieces), "".join(pieces), "length")
        pieces.append(piece)
        written = "".join(pieces)
        hits = [(written.index(stop), stop) for stop in stops if stop in written]
        if hits:
            at, stop = min(hits)
            return Text(tuple(pieces), written[:at], "stop", stop)
    return Text(tuple(pieces), text, "stop")


def _encode(text: str) -> list[int]:
    return [TEXT_AS_IDS + ord(character) for character in text]


def _decode(ids: list[int]) -> str:
    return "".join(chr(one - TEXT_AS_IDS) for one in ids if one >= TEXT_AS_IDS)
