"""Model names as users and servers write them → sentinel family, or none where the model was not trained for FIM."""

from __future__ import annotations

import pytest

from evoselfcode.wire.sentinels import family_of

NAMES = {
    "qwen2.5-coder": """
        Qwen2.5-Coder-32B  Qwen/Qwen2.5-Coder-32B-Instruct  qwen2.5-coder:7b  qwen/qwen-2.5-coder-32b-instruct
        accounts/fireworks/models/qwen2p5-coder-32b  qwen2.5-coder-0.5b-q8_0.gguf  /models/Qwen2.5-Coder-1.5B
        hf.co/bartowski/Qwen2.5-Coder-7B-GGUF:Q4_K_M  Qwen3-Coder-30B-A3B-Instruct  qwen3-coder:30b
        Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8  accounts/fireworks/models/qwen3-coder-480b-a35b-instruct
    """,
    "codeqwen1.5": "Qwen/CodeQwen1.5-7B  codeqwen:7b",
    "santacoder": "bigcode/santacoder  santacoder",
    "mellum": "JetBrains/Mellum-4b-base  mellum-4b-sft-python",
    "starcoder": """
        bigcode/starcoder2-15b  bigcode/starcoder  starcoder2:3b  bigcode/starcoderbase-1b  bigcode/tiny_starcoder_py
        stabilityai/stable-code-3b  stable-code:3b  smallcloudai/Refact-1_6B-fim  refact-1.6b-fim
    """,
    "code-llama": """
        codellama/CodeLlama-7b-hf  codellama/CodeLlama-13b-Instruct-hf  codellama/CodeLlama-70b-hf  codellama:7b-code
        accounts/fireworks/models/code-llama-7b
    """,
    "deepseek": """
        deepseek-ai/deepseek-coder-6.7b-base  DeepSeek-Coder-V2-Lite-Base  deepseek-coder-v2:16b
        deepseek-ai/DeepSeek-V3  deepseek-v4-pro
    """,
    "mistral-v3": "mistralai/Codestral-22B-v0.1  Codestral-22B-v0.1-Q4_K_M.gguf  codestral:22b",
    "mistral-tekken": "codestral-latest  codestral-2501  mistralai/codestral-2508",
    "codegemma": "google/codegemma-7b  codegemma-2b  codegemma:2b-code",
    "granite-4": "granite-4.0-h-small  ibm-granite/granite-4.0-tiny-base-preview  granite4:micro",
    "granite": """
        ibm-granite/granite-8b-code-base  granite-34b-code-base-8k  granite-code:3b  granite-3.3-8b-base
        ibm-granite/granite-3.3-8b-instruct  granite3.3:8b
    """,
    "codegeex4": "THUDM/codegeex4-all-9b  codegeex4:9b",
    "seed-coder": "ByteDance-Seed/Seed-Coder-8B-Base  seed-coder-8b-base-q4.gguf",
    "evoselfcode": "evoselfcode-ngram  evo-tiny",
    None: """
        codellama/CodeLlama-34b-hf  codellama/CodeLlama-7b-Python-hf  codellama:7b-python  Phind-CodeLlama-34B-v2
        codellama/CodeLlama-70b-Instruct-hf  mistralai/mamba-codestral-7B-v0.1  Mamba_Codestral  granite-3.1-8b-base
        granite-3.0-2b-instruct  granite-embedding-125m  granite-3.1-8b-decoder  01-ai/Yi-Coder-9B  yi-coder:1.5b
        SmolLM2-135M  HuggingFaceTB/SmolLM2-1.7B  Qwen3-8B  Qwen/Qwen2.5-7B-Instruct  Qwen2.5-Math-7B
        Meta-Llama-3.1-8B  infly/OpenCoder-8B-Base  gpt-3.5-turbo-instruct  google/gemma-2-9b  google/codegemma-7b-it
        codegemma:7b-instruct  my-refactoring-model  mistralai/Mistral-7B-v0.3  microsoft/phi-4  zed-industries/zeta
        ByteDance-Seed/Seed-Coder-8B-Instruct  deepseek-ai/DeepSeek-R1-Distill-Qwen-7B  WizardLM/WizardCoder-15B-V1.0
    """,
}


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, row in NAMES.items() for name in row.split()])
def test_a_models_name_tells_its_family(family: str | None, name: str) -> None:
    """Sabotage: drop the ``p`` of ``qwen2p5``, Code Llama's look-ahead, or Codestral 22B's row."""
    found = family_of(name)
    assert (found.name if found else None) == family
