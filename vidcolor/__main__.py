"""Starts the command. Importing it takes half a second, in which Ctrl-C must not give a traceback."""

import sys


def main() -> None:
    try:
        from vidcolor.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("vidcolor: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
