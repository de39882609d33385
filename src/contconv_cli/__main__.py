"""Where the command begins: says what to install where something is missing."""

import sys


def main() -> None:
    """Run `contconv_cli.commands.main`."""
    try:
        from contconv_cli.commands import main as run

        run()
    except ModuleNotFoundError as error:
        # A part of a package, such as safetensors.torch, is named by the package.
        name = (error.name or "").partition(".")[0]
        what = f"{name} is not installed" if name else str(error).partition(",")[0]
        sys.exit(
            f"contconv: {what}, which the command needs; "
            "install it with: pip install 'contconv[cli]'"
        )


if __name__ == "__main__":
    main()
