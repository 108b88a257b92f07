"""The embedded model: a small language model of the standard library, so that every command runs with no endpoint.

It is for dry runs, tests and benchmarks, and no source of data: what it writes is recombined library code. Importing
this package builds nothing; :meth:`evoselfcode.local.model.EmbeddedModel.load` does.
"""
