"""The command as a function: `main(["resize", "in.png", "out.png", "--scale", "2"])`."""

from contconv_cli.commands import main as main
