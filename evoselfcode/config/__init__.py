"""The configuration: strict, complete, and every problem reported at once.

``RunConfig.from_file(path)`` is the door. What the keys mean is :mod:`evoselfcode.config.sections` and its neighbours
for code, filters and choosing; how YAML is read is :mod:`evoselfcode.config.load`; how problems are found and told is
:mod:`evoselfcode.config.check`.
"""

from evoselfcode.config.arms import Cell, cells, contrasts
from evoselfcode.config.changing import FILTERS
from evoselfcode.config.choose_section import Choose
from evoselfcode.config.code_sections import Asking, Asserts, Codegen, Describe, Skeleton
from evoselfcode.config.export_section import Export, ExportFim
from evoselfcode.config.filter_sections import Execution, Filters
from evoselfcode.config.prompt_sections import FimPrompt, Funcname, L2rPrompt, Prompts
from evoselfcode.config.schema import RunConfig, arm_of, flatten
from evoselfcode.config.sections import (
    Api,
    Arm,
    Fim,
    Namegen,
    Output,
    SaturationRules,
)

__all__ = [
    "FILTERS",
    "Api",
    "Arm",
    "Asking",
    "Asserts",
    "Cell",
    "Choose",
    "Codegen",
    "Describe",
    "Execution",
    "Export",
    "ExportFim",
    "Filters",
    "Fim",
    "FimPrompt",
    "Funcname",
    "L2rPrompt",
    "Namegen",
    "Output",
    "Prompts",
    "RunConfig",
    "SaturationRules",
    "Skeleton",
    "arm_of",
    "cells",
    "contrasts",
    "flatten",
]
