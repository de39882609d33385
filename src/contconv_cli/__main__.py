"""Where the command begins: says what to install where something is missing."""

import gc
import sys

# New objects between two collections of garbage. Imports make 100 times as many as
# Python's own number and drop none: looking for any took a tenth of the start.
_OBJECTS = 70_000


def main() -> None:
    """Run `contconv_cli.commands.main`."""
    gc.set_threshold(_OBJECTS)
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
