"""The command as a function: `main(["upscale", "in.png", "--scale", "2"])`."""

from contconv_cli.commands import main as main
