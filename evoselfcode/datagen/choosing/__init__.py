"""Choosing among kept functions: what a function is worth in numbers, and which of a name's functions is taken.

Numbers here are scores. What drops a function is :mod:`evoselfcode.datagen.code`.
"""
