"""Where the command begins: says what to install where something is missing."""

import sys


def main() -> None:
    """Run `contconv_cli.commands.main`."""
    try:
        from contconv_cli.commands import main as run

        run()
    except ModuleNotFoundError as error:
        what = f"{error.name} is not installed" if error.name else str(error)
        sys.exit(
            f"contconv: {what.partition(',')[0]}, which the command needs; "
            "install it with: pip install 'contconv[cli]'"
        )


if __name__ == "__main__":
    main()
