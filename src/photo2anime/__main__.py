"""`python -m photo2anime`, and the `photo2anime` command. Ctrl-C during the imports ends it silently."""

import signal

if __name__ == "__main__":  # before anything takes time to be imported
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run() -> int:
    """The command's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from photo2anime.cli import main

    return main()


if __name__ == "__main__":
    import sys

    sys.exit(run())
