"""Scoring: how probable a model thinks a function that is written, and its parts."""
