"""NeMo Data Designer: ``create`` with one LLM column over an OpenAI-compatible provider.

``max_parallel_requests`` is what its documentation tells to raise for a server of one's own; as many workers for the
generators as are in flight. A row is one text: its chat parameters have no ``n``, so a request asks for one name, and
``extra_body`` would throw three of four away. Profiling is part of what ``create`` does. Telemetry is off, and so is
the page of metrics. Left to itself, 4 requests are in flight.
"""

import os
import tempfile

os.environ |= {"NEMO_TELEMETRY_ENABLED": "false"}

import data_designer.config as dd
from data_designer.interface import DataDesigner
from work import MODEL, PROMPT, SAMPLING, Work, asked, line, tell


def main(work: Work) -> None:
    width = {"max_parallel_requests": work.in_flight} if work.in_flight else {}
    parameters = dd.ChatCompletionInferenceParams(
        temperature=SAMPLING["temperature"], top_p=SAMPLING["top_p"], max_tokens=SAMPLING["max_tokens"],
        extra_body={"stop": SAMPLING["stop"]}, **width,
    )  # fmt: skip
    provider = dd.ModelProvider(name="local", endpoint=work.url, provider_type="openai", api_key="key")
    model = dd.ModelConfig(alias="namer", model=MODEL, provider="local", inference_parameters=parameters,
                           skip_health_check=True)  # fmt: skip
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.add_column(
        dd.SamplerColumnConfig(name="number", sampler_type=dd.SamplerType.UUID, params=dd.UUIDSamplerParams())
    )
    builder.add_column(dd.LLMTextColumnConfig(name="func_name", prompt=PROMPT, model_alias="namer"))
    with tempfile.TemporaryDirectory() as folder:
        designer = DataDesigner(artifact_path=folder, model_providers=[provider])
        designer.set_run_config(dd.RunConfig(otel_metrics_port=None))
        table = designer.create(builder, num_records=work.requests).load_dataset()
        names = [str(name) for name in table["func_name"]]
    with work.out.open("w", encoding="utf-8") as file:
        file.writelines(line(number, [name]) for number, name in enumerate(names))
    tell(len(names), n=1)


main(asked())
