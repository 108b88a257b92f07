"""Stage B: write the functions, and keep the code that deserves it.

```
names ──▶ describe ──▶ skeleton ──▶ codegen ──▶ journal ──▶ filtering ──▶ raw.jsonl, filtered.jsonl, metrics.json
          (tasks, prompts, rowstage: what the four have in common)   (crew, linting, executing: looking at hostile text)
```
"""
