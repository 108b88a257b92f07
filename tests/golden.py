"""The worked numbers of tests/data/golden.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "golden.json").read_text(encoding="utf-8"))
