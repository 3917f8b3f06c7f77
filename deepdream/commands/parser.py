"""The parser of the command line: argparse, for people who have not read its help.

What argparse calls an error is answered with how the command is used, in two lines, and with what
was probably meant.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..files import FILMS, PICTURES
from .words import meant_command, meant_option, names_the_picture

_KINDS = {"int": "a whole number", "float": "a number"}  # types, as argparse calls them


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help whose lines are kept as they are written, with room for the names of options."""

    def __init__(self, prog: str, **options: Any) -> None:
        options.setdefault("max_help_position", 28)
        super().__init__(prog, **options)
        self._action_max_length = 16  # room for the names of commands


class Parser(argparse.ArgumentParser):
    """A parser whose usage is one line, and whose errors say what to type.

    Attributes
    ----------
    siblings : mapping of str to Parser
        The commands beside this one, by name: an option may be one of theirs.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", Formatter)
        super().__init__(*args, **options)
        self.siblings: Mapping[str, Parser] = {}

    # -- help ------------------------------------------------------------------------------------

    def format_usage(self) -> str:
        """Return the usage in one line: most commands have forty options."""
        self.usage = self._short_usage()
        return super().format_usage()

    def format_help(self) -> str:
        """Return the help, with the usage in one line."""
        self.usage = self._short_usage()
        return super().format_help()

    def _short_usage(self) -> str:
        words = ["%(prog)s"]
        inner = self._commands()
        if inner is not None:
            words.append(f"{inner.metavar} ..." if inner.required else f"[{inner.metavar} ...]")
        for action in self._actions:
            if not action.option_strings and action is not inner:
                words.append(f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar))
        for action in self._actions:
            if action.required and action.option_strings:
                words.append(f"{action.option_strings[0]} {action.metavar}")
            elif "-o" in action.option_strings:
                words.append(f"[-o {action.metavar}]")
        return " ".join([*words, "[options]" if inner is None else ""]).strip()

    def flags(self) -> dict[str, str]:
        """Return the keywords that this command takes, and the flag of each."""
        return {
            action.dest: option
            for action in self._actions
            for option in reversed(action.option_strings)
            if option.startswith("--") and not option.startswith("--no-")
        }

    # -- what was written ------------------------------------------------------------------------

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse what is not known: of a command by the command's own parser."""
        given = [*(sys.argv[1:] if args is None else args)]
        self._refuse_unknown(given)
        found, rest = super().parse_known_args(given, namespace)
        if rest:
            self.error(self._too_many(rest, found))
        return found, rest

    def _commands(self) -> argparse._SubParsersAction[Parser] | None:
        kind = argparse._SubParsersAction
        return next((action for action in self._actions if isinstance(action, kind)), None)

    def _refuse_unknown(self, given: Sequence[str]) -> None:
        """Refuse options that there are not, and commands; before argparse takes their values for
        a picture.
        """
        inner = self._commands()
        for number, word in enumerate(given):
            if word == "--":
                return
            if _is_option(word):
                name = word.partition("=")[0]
                if not self._knows(name):
                    self.error(self._why_no_option(name))
            elif inner is not None:
                if word not in inner.choices:
                    self.error(self._why_no_command(word, given[number:], inner))
                return

    def _knows(self, name: str) -> bool:
        options = self._option_string_actions
        if name in options:
            return True
        if name.startswith("--"):
            fits = [option for option in options if option.startswith(name)]
            return len(fits) == 1 or (len(fits) > 1 and not meant_option(name, options, near=False))
        # "-oOUT" is an option with its value, "-out" a slip.
        return name[:2] in options and (
            len(name) == 2 or not meant_option(name, options, near=False)
        )

    def _why_no_option(self, name: str) -> str:
        text = f"there is no option {name}"
        options = self._option_string_actions
        places = [action for action in self._actions if not action.option_strings]
        if names_the_picture(name) and places and places[0].metavar in ("IMAGE", "FILE"):
            return f"{text}: the picture needs none, write {self.prog} {places[0].metavar}"
        meant = meant_option(name, options, near=False)
        elsewhere = [
            other.prog
            for other in self.siblings.values()
            if other is not self and name in other._option_string_actions
        ]
        if not meant and not elsewhere:
            meant = meant_option(name, options)
        if meant:
            option, _, value = meant.partition(" ")
            action = options[option]
            value = value or ("" if action.nargs == 0 else str(action.metavar or ""))
            meant = f"{option} {value}".rstrip()
            return f"{text}. Did you mean '{meant}'? ({_told(action.help)})"
        if elsewhere:
            return f"{text} here: it is one of {' and '.join(map(repr, elsewhere))}"
        return text

    def _why_no_command(self, word: str, rest: Sequence[str], inner: Any) -> str:
        if "dream" in inner.choices:
            suffix = Path(word).suffix.lower()
            if suffix in (".prototxt", ".caffemodel"):
                return (
                    f"'{word}' is a network's file, not a command. To dream with it:\n"
                    f"  {self.prog} dream IMAGE --model PROTOTXT --weights CAFFEMODEL --end LAYER"
                )
            if suffix in FILMS and "film" in inner.choices:
                return (
                    f"'{word}' is a film, not a command. To dream on it:\n"
                    f"  {self.prog} film {shlex.join(rest)}"
                )
            if suffix in PICTURES or word.startswith("noise:") or Path(word).is_file():
                return (
                    f"'{word}' is a picture, not a command. To dream on it:\n"
                    f"  {self.prog} dream {shlex.join(rest)}"
                )
        meant = meant_command(word, inner.choices)
        text = f"there is no command '{word}'."
        if meant:
            text += f" Did you mean '{self.prog} {meant}'?"
        elif not inner.required:
            text += f" '{self.prog}' alone lists the {self.prog.rpartition(' ')[2]}."
        lines = [f"  {each.dest:11}{each.help}" for each in inner._choices_actions]
        return "\n".join([text, "The commands:", *lines])

    def _too_many(self, rest: Sequence[str], found: argparse.Namespace) -> str:
        takes = [str(a.metavar) for a in self._actions if not a.option_strings]
        names = [str(getattr(found, a.dest, "")) for a in self._actions if not a.option_strings]
        what = f"'{rest[0]}' is one too many: {' '.join(takes) or 'nothing'} is expected"
        together = " ".join([*names, *rest])
        if names and Path(together).is_file():
            return f"{what}. A name with blanks goes in quotes: {shlex.quote(together)}"
        if not takes and any("--model" in a.option_strings for a in self._actions):
            what += f". A network is named so: {self.prog} --model {shlex.join(rest[:1])}"
        if takes and names[-1]:
            what += f", and that is '{names[-1]}'. A name with blanks goes in quotes"
        return what

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong, and exit with status 2."""
        text = self._worded(message)
        hint = "" if self._commands() and "\n" in text else f"All of it: {self.prog} --help\n"
        self.exit(2, f"{self.format_usage()}{self.prog}: {text}\n{hint}")

    def _worded(self, message: str) -> str:
        """Return an error of argparse in plain words; what is not known here stays as it is."""
        missing = re.fullmatch(r"the following arguments are required: (.*)", message)
        if missing:
            return "\n".join(self._why_missing(name) for name in missing[1].split(", "))
        told = re.fullmatch(r"argument ([^:]+): (.*)", message, re.DOTALL)
        if not told:
            return message
        name, text = told[1].rpartition("/")[2], told[2]
        wrong = re.fullmatch(r"invalid (.+) value: (.*)", text, re.DOTALL)
        if wrong:
            return f"{name} is {wrong[2]}: {_KINDS.get(wrong[1], wrong[1])} is expected"
        choice = re.match(r"invalid choice: (.*?) \(choose from (.*?)\)", text)
        if choice:
            return f"{name} is {choice[1]}: one of {choice[2].replace(chr(39), '')} is expected"
        if text.startswith("expected ") and "argument" in text:
            action = self._option_string_actions.get(name)
            return f"{name} needs a value: {name} {action.metavar if action else ''}".rstrip()
        return f"{name}: {text}"

    def _why_missing(self, name: str) -> str:
        for action in self._actions:
            if name in (action.metavar, "/".join(action.option_strings)):
                shown = name if not action.option_strings else action.option_strings[0]
                value = f" {action.metavar}" if action.option_strings else ""
                return f"{shown}{value} is missing: {_told(action.help)}".rstrip(": ")
        return f"{name} is missing"


def _told(text: str | None) -> str:
    """Return the help of an option without its default."""
    return (text or "").replace("%%", "%").partition(" (default")[0]


def _is_option(word: str) -> bool:
    number = re.fullmatch(r"-[\d.]\S*", word)
    return len(word) > 1 and word[0] == "-" and " " not in word and number is None
