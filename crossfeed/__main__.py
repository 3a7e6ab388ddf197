"""`python -m crossfeed`: the same as the command `crossfeed`."""

from crossfeed.cli.main import main

if __name__ == "__main__":
    main()
