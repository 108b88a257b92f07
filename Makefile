.DEFAULT_GOAL := help
.PHONY: help names test check kill test-real manifests slurm signals reference picture lock clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

names:  ## Generate function names with the embedded model (installs into .venv first)
	@scripts/install run
	.venv/bin/python -m evoselfcode.cli datagen-names --config configs/datagen.yaml

test:  ## Run the tests (installs into .venv first)
	@scripts/test

check:  ## Lint, format and types
	@scripts/check

kill:  ## Kill a run 300 times, cut its power 4,000 times, and look for what was lost
	@scripts/kill

test-real:  ## Run the names stage against a real small language model (SmolLM2-135M)
	@scripts/test-real

manifests:  ## Check configs/kubernetes against the schemas of Kubernetes, strictly
	@scripts/test-manifests

slurm:  ## Run configs/slurm/array.sh on a one-node Slurm of its own, with a requeue in the middle
	@scripts/test-slurm

signals:  ## Stop a real run 100 times, at any time
	@EVOSELFCODE_SIGNALS=100 scripts/test tests/test_signals.py

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
	rm -rf .venv .venv-lock .venv-manifests .pytest_cache .mypy_cache .ruff_cache .hypothesis
