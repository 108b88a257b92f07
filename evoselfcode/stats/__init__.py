"""Statistics: pure numbers in, records out. Formulae and their sources are in the docstrings."""
