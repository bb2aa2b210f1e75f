"""``python -m aufer``: the same as the console script ``aufer``."""

from aufer.cli.main import main

if __name__ == "__main__":
    main()
