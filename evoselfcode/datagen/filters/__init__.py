"""Filters: pure predicates that keep a candidate or drop it with one machine-readable reason."""

from evoselfcode.datagen.filters.names import NAME_REASONS, NameJudge, canonical, parse_name

__all__ = ["NAME_REASONS", "NameJudge", "canonical", "parse_name"]
