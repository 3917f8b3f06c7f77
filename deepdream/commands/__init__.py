"""The commands of ``deepdream``, one module each, with what they share.

A command's module has ``add(commands)``, which adds its parser, and the function that runs it. None
imports at its top what is slow to load: help is there at once.
"""
