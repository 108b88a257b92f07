"""Source: one function as every gate, hash and measure of code is handed it.

This file decides what is judged. It refuses to know where the text came from and what is thought of it.
"""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One function as it is judged.

    Attributes:
        func_name: What it has to be called.
        code: The function: the head that the prompt wrote, and the body, cut where the next top-level statement begins.
        head: What of `code` the prompt wrote (``def f(x):`` and a docstring), ``""`` if the model wrote it all.
        context: Python that stands before it in the prompt and that it may use: imports, other functions.
        complete: False if the text ended by length before the function did.
    """

    func_name: str
    code: str
    head: str = ""
    context: str = ""
    complete: bool = True

    @property
    def program(self) -> str:
        """Return what is parsed and run: the context and the function."""
        return self.context + self.code

    @property
    def written(self) -> str:
        """Return what of the function the model wrote."""
        return self.code.removeprefix(self.head.rstrip())
