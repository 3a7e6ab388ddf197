"""`python -m crossfeed`: the same as the command `crossfeed`."""

from .cli.main import main

if __name__ == "__main__":
    main()
