"""How busy a server says it is: the pages of five servers and of the embedded one, and pages that say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.wire.dialect import endpoint
from evoselfcode.wire.load import GAUGES, Load, load_call, read_load

VLLM = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen2.5-Coder-32B"} 200.0
vllm:num_requests_running{engine="1",model_name="Qwen/Qwen2.5-Coder-32B"} 56.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen2.5-Coder-32B"} 3.0
vllm:num_requests_waiting{engine="1",model_name="Qwen/Qwen2.5-Coder-32B"} 17.0
# HELP vllm:num_requests_waiting_by_reason Number of requests waiting, by reason.
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",model_name="Qwen/Qwen2.5-Coder-32B",reason="capacity"} 3.0
vllm:num_requests_waiting_by_reason{engine="1",model_name="Qwen/Qwen2.5-Coder-32B",reason="deferred"} 17.0
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen2.5-Coder-32B"} 0.4567
vllm:prompt_tokens_total{engine="0",model_name="Qwen/Qwen2.5-Coder-32B"} 5.052943e+06
"""

OLD_VLLM = b"""vllm:num_requests_running{model_name="codellama"} 5.0
vllm:num_requests_swapped{model_name="codellama"} 1.0
vllm:num_requests_waiting{model_name="codellama"} 12.0
vllm:gpu_cache_usage_perc{model_name="codellama"} 0.35
"""

SGLANG = b"""# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 162.0
# TYPE sglang:gen_throughput gauge
sglang:gen_throughput{model_name="meta-llama/Llama-3.1-8B-Instruct"} 86.50814177726902
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 2826.0
sglang:num_grammar_queue_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 4.0
"""

SGLANG_RANKS = b"""sglang:num_running_reqs{dp_rank="0",model_name="m",pp_rank="0",tp_rank="0"} 30.0
sglang:num_running_reqs{dp_rank="0",model_name="m",pp_rank="0",tp_rank="1"} 30.0
sglang:num_running_reqs{dp_rank="1",model_name="m",pp_rank="0",tp_rank="0"} 20.0
sglang:num_queue_reqs{dp_rank="0",model_name="m",pp_rank="0",priority="",tp_rank="0"} 6.0
sglang:num_queue_reqs{dp_rank="0",model_name="m",pp_rank="0",priority="1",tp_rank="0"} 6.0
"""

LLAMACPP = b"""# HELP llamacpp:requests_processing Number of requests processing
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 4
# HELP llamacpp:requests_deferred Number of requests deferred
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 12
# HELP llamacpp:n_busy_slots_per_decode Average number of busy slots per llama_decode() call
# TYPE llamacpp:n_busy_slots_per_decode gauge
llamacpp:n_busy_slots_per_decode 3.91
"""

TGI = b"""# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 4
# TYPE tgi_batch_current_max_tokens gauge
tgi_batch_current_max_tokens 2048
# TYPE tgi_queue_size gauge
tgi_queue_size 7
"""

LMDEPLOY = b"""lmdeploy:num_api_requests_waiting{engine="0",model_name="internlm"} 2.0
lmdeploy:num_requests_running{engine="0",model_name="internlm"} 128.0
lmdeploy:num_requests_waiting{engine="0",model_name="internlm"} 5.0
"""

SERVE = b"""evoselfcode_serve_requests_running 8
evoselfcode_serve_requests_waiting 3
evoselfcode_serve_slots 8
"""


@pytest.mark.parametrize(
    ("server", "page", "load"),
    [
        ("vllm", VLLM, Load(256, 20)),
        ("vllm", OLD_VLLM, Load(5, 13)),
        ("sglang", SGLANG, Load(162, 2826)),
        ("sglang", SGLANG_RANKS, Load(50, 6)),
        ("llamacpp", LLAMACPP, Load(4, 12)),
        ("tgi", TGI, Load(4, 7)),
        ("lmdeploy", LMDEPLOY, Load(128, 7)),
        ("evoselfcode", SERVE, Load(8, 3)),
    ],
)
def test_each_server_is_read_by_its_names(server: str, page: bytes, load: Load) -> None:
    """Sabotage: match a name that another one begins with (the reasons are counted too: 40 wait at vLLM)."""
    assert read_load(server, 200, page) == load
    assert read_load(server, 200, page.replace(b"\n", b"\r\n")) == load


@pytest.mark.parametrize(("server", "page"), [("llamacpp", LLAMACPP), ("tgi", TGI), ("vllm", OLD_VLLM)])
def test_half_a_page_is_no_numbers(server: str, page: bytes) -> None:
    """Sabotage: take what is missing for 0: a server that tells no queue would be filled to the brim."""
    half = b"".join(line for line in page.splitlines(True) if b"deferred" not in line and b"queue" not in line)
    half = b"".join(line for line in half.splitlines(True) if b"waiting" not in line and b"swapped" not in line)
    assert read_load(server, 200, half) is None


@pytest.mark.parametrize("status", [404, 501, 503, 204])
def test_metrics_that_are_off_are_no_numbers(status: int) -> None:
    """llama.cpp answers 501 without --metrics, SGLang 404. Sabotage: read the body whatever the status."""
    assert read_load("llamacpp", status, LLAMACPP) is None


@pytest.mark.parametrize("value", [b"NaN", b"+Inf", b"-3", b"1e999", b"1.2.3", b"", b"0x10", b"1_0"])
def test_what_is_no_number_of_requests_is_passed_over(value: bytes) -> None:
    """Sabotage: let ``float`` decide alone."""
    page = VLLM + b'vllm:num_requests_waiting{engine="2"} ' + value + b"\n"
    assert read_load("vllm", 200, page) == Load(256, 20)


def test_labels_may_hold_anything() -> None:
    """Sabotage: end the labels at the first brace."""
    page = b'vllm:num_requests_running{model_name="a}\\" 9 {,b"} 2 1700000000000\nvllm:num_requests_waiting 1'
    assert read_load("vllm", 200, page) == Load(2, 1)


def test_only_lines_that_begin_with_the_name_count() -> None:
    """Sabotage: look for the name anywhere."""
    others = (
        b"# llamacpp:requests_deferred 99",
        b"a:llamacpp:requests_deferred 99",
        b"llamacpp:requests_deferred_x 99",
    )
    assert read_load("llamacpp", 200, LLAMACPP + b"\n".join(others)) == Load(4, 12)


def test_where_the_page_is() -> None:
    """The native root, not under ``/v1``. Sabotage: ask at ``where.api``."""
    where = endpoint("http://pod:8000/v1")
    for server in GAUGES:
        call = load_call(where, server)
        assert call is not None
        assert (call.method, call.url) == ("GET", "http://pod:8000/metrics")
    assert [load_call(where, server) for server in ("openai", "ollama", "unknown")] == [None, None, None]


pieces = st.sampled_from(
    [name.encode() for gauges in GAUGES.values() for name in (*gauges.running, *gauges.waiting)]
    + [bytes([code]) for code in b'\n{}"\\ 1-e.,\x00\xff']
    + [b"9" * 400, b'a="b"', b"NaN"]
)


@given(st.sampled_from(sorted(GAUGES)), st.one_of(st.binary(), st.lists(pieces).map(b"".join)))
def test_no_page_raises(server: str, page: bytes) -> None:
    """Sabotage: read a line without asking whether it is one (``line is None``)."""
    load = read_load(server, 200, page)
    assert load is None or (load.running >= 0 and load.waiting >= 0)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1))
def test_engines_add_up(engines: list[tuple[int, int]]) -> None:
    """Sabotage: keep the last engine only."""
    page = "".join(
        f'vllm:num_requests_running{{engine="{i}"}} {running}.0\nvllm:num_requests_waiting{{engine="{i}"}} {waiting}\n'
        for i, (running, waiting) in enumerate(engines)
    )
    total = Load(sum(running for running, _ in engines), sum(waiting for _, waiting in engines))
    assert read_load("vllm", 200, page.encode()) == total


@pytest.mark.parametrize("tail", [b"{", b'{a="', b'{a="' + b"\\" * 4000, b"{" + b'"",' * 1000])
def test_a_hostile_page_takes_no_longer(tail: bytes) -> None:
    """Each line is looked at once, however it goes on: a megabyte of unfinished labels is no work.

    Sabotage: let the line go on behind its end (``[^"{}]`` without the newline, and no longest line): it never ends.
    """
    page = (b"vllm:num_requests_waiting" + tail) * 20_000
    assert read_load("vllm", 200, page[:1_000_000]) is None
