"""The command `contconv`: pictures enlarged and resized, from files to files.

A package of its own beside `contconv`, whose import brings torch: ``contconv --help``
answers before that.
"""
