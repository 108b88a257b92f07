.DEFAULT_GOAL := help
.PHONY: help names test check test-real test-replicas manifests slurm signals kill bench bench-peers figures soak sim reference picture lock clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

names:  ## Generate function names with the embedded model (installs into .venv first)
	@scripts/install run
	.venv/bin/python -m evoselfcode.cli datagen-names --config configs/datagen.yaml

test:  ## Run the tests (installs into .venv first)
	@scripts/test

check:  ## Lint, format and types
	@scripts/check

bench:  ## Measure everything that is ours, each next to its ceiling (an hour)
	@scripts/bench

bench-peers:  ## Measure the same requests through each peer (an hour, and installs them first)
	@scripts/bench-peers

figures:  ## Write the figures of README and docs anew, from the newest records of benchmarks/results
	@scripts/install run
	.venv/bin/python scripts/write_performance.py

soak:  ## Run a million requests and look at what grows (five minutes)
	@scripts/soak

kill:  ## Kill a run 300 times, cut its power 4,000 times, and look for what was lost
	@scripts/kill

test-real:  ## Run the names stage against a real small language model (SmolLM2-135M)
	@scripts/test-real

test-replicas:  ## Kill real servers in the middle of runs (two llama.cpp servers, three of our own)
	@scripts/test-replicas

manifests:  ## Check configs/kubernetes against the schemas of Kubernetes, strictly
	@scripts/test-manifests

slurm:  ## Run configs/slurm/array.sh on a one-node Slurm of its own, with a requeue in the middle
	@scripts/test-slurm

signals:  ## Stop a real run 100 times, at any time
	@EVOSELFCODE_SIGNALS=100 scripts/test tests/test_signals.py

sim:  ## Play 10,000 simulated runs (half an hour)
	@scripts/sim

reference:  ## Write the generated pages of docs/reference anew
	@scripts/install run
	.venv/bin/python scripts/write_config_reference.py
	.venv/bin/python scripts/write_sentinels_reference.py
	.venv/bin/python scripts/write_gate_audit.py
	PYTHONPATH=tests .venv/bin/python -m fakes.table > docs/reference/servers.md

picture:  ## Draw the picture of a run anew (docs/assets/run.svg)
	@scripts/install run
	.venv/bin/python scripts/draw_run.py

lock:  ## Write the hash-locked requirement files anew
	@scripts/lock

clean:  ## Remove what the other targets made, but not data/generated
	rm -rf .venv .venv-bench .venv-lock .venv-manifests .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis
