"""A seeded, virtual-time model of replicas, clock, disk and signals around the real program.

`docs/explanation/simulation.md` says what is simulated, what is not, and how a seed is replayed.
"""
