"""``python -m evoselfcode`` is ``python -m evoselfcode.cli``."""

from evoselfcode.cli import main

if __name__ == "__main__":
    main()
