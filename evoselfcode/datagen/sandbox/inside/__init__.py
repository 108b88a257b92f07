"""What runs behind the walls: the standard library only, started by ``python -I -S`` from this folder alone.

Nothing here may import what is outside this folder: it is not there.
"""
