"""Where the command begins: says what to install where something is missing."""

import sys


def main() -> None:
    """Run `contconv_cli.main.main`."""
    try:
        from contconv_cli.main import main as run
    except ModuleNotFoundError as error:
        sys.exit(
            f"contconv: {error.name} is not installed, which the command needs; "
            "install it with: pip install 'contconv[cli]'"
        )
    run()


if __name__ == "__main__":
    main()
