"""The words of the command line: what people call an option, and what Python calls one.

`meant_option` and `meant_command` find what was meant by a word that is none. `in_flags` is the
one place where messages of the library, which speak of keywords (``end=``), come to speak of flags
(``--end``): whatever is printed goes through it.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping

# What people call options, and what they may be called here, the likeliest first. Words are in
# lower case, with hyphens and American. A blank is followed by the option's value.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    option: tuple(meant.split(","))
    for words, meant in (
        ("layer layers target blob node end-layer stop-layer dream-layer layer-name at", "end"),
        (
            "iterations iteration iters iter n-iter niter num-iter num-iters num-iterations steps "
            "num-steps n-steps step-count step-n epochs",
            "iter-n",
        ),
        (
            "octaves octave n-octaves num-octaves octave-count octave-num octaves-n noctaves "
            "scales levels n-levels pyramid pyramid-levels pyramid-size num-scales",
            "octave-n",
        ),
        ("octave-ratio scale-factor pyramid-ratio ratio", "octave-scale,scale"),
        ("zoom zoom-factor zoom-scale", "scale,octave-scale"),
        ("min-size min-octave smallest octave-size", "octave-min"),
        ("lr learning-rate step stepsize rate stride", "step-size"),
        ("shift roll max-jitter", "jitter"),
        ("intensity amount blend opacity power", "strength"),
        (
            "output outfile out-file output-file dest destination save save-to result folder o",
            "out",
        ),
        ("guide-image reference reference-image content guided style-image", "guide"),
        ("network net prototxt deploy arch architecture model-def m", "model"),
        ("caffemodel checkpoint param-file model-weights pretrained w", "weights"),
        ("mean-file image-mean", "mean"),
        ("gpu cuda use-gpu g", "device cuda"),
        ("cpu use-cpu no-gpu", "device cpu"),
        ("size resize max-size image-size resolution dim max-dim res long-side max-width", "width"),
        ("max-height", "height"),
        ("random-seed rng random-state", "seed"),
        (
            "color colors keep-color preserve-color preserve-colors original-color "
            "original-colors color-preserve",
            "keep-colors",
        ),
        ("mem memory vram memory-limit tile tiles tile-size", "max-memory"),
        ("dtype half fp16 bf16", "precision"),
        ("display live view window", "show"),
        ("watch live-preview save-steps", "preview"),
        ("debug verbosity v log", "verbose"),
        ("n-frames num-frames frame frame-count length duration", "frames"),
        ("bits bit-depth bitdepth", "depth"),
        ("filter filters neuron unit feature features channel channels", "channels,end"),
        ("class classes label category labels imagenet layer-weights dream-weights", "end"),
        ("normalize-weights equal-weights", "balance"),
        ("total-variation tv-weight tv-loss", "tv"),
        ("l2-weight l2-loss weight-decay", "l2"),
        ("rotation angle", "rotate"),
        ("mirror hflip", "flip"),
        ("framerate frame-rate rate", "fps"),
        ("blend blend-ratio blendflow", "carry"),
        ("optical-flow", "flow"),
        ("original source-image source", "input"),
        ("normalise normalization grad-norm", "normalize"),
        ("padding wrap edges", "border"),
        ("ext extension file-format image-format", "format"),
        ("glob pattern blocks ends end targets", "layers"),
    )
    for option in words.split()
}

# Options that name the picture: it is written without one.
_PICTURE = {"input", "image", "img", "photo", "picture", "file", "src", "source", "in", "i", "f"}

# What people call commands.
_COMMANDS: Mapping[str, str] = {
    word: command
    for words, command in (
        ("run make start create paint go image photo deepdream", "dream"),
        ("video movie clip animate animation", "film"),
        ("frames dive", "zoom"),
        ("all sheet compare montage page grid", "gallery"),
        ("info recipe inspect metadata describe", "show"),
        ("repeat again redo remake upscale enlarge", "rerun"),
        ("style presets looks", "styles"),
        ("layer ends list-layers blobs net network", "layers"),
        ("visualise features feature class classes learnt", "visualize"),
        ("label names class-names", "labels"),
        ("model list download fetch nets networks weights list-models add", "models"),
        ("examples replicate works", "reproduce"),
    )
    for word in words.split()
}


def _plain(word: str) -> str:
    return word.lower().lstrip("-").replace("_", "-").replace("colour", "color")


def meant_option(word: str, options: Iterable[str], near: bool = True) -> str:
    """Return the option that was meant, or ``""``.

    Parameters
    ----------
    word : str
        As it was written: ``"--octaves"``.
    options : iterable of str
        What there is: ``"--octave-n"``.
    near : bool
        Also try what is spelt alike.

    Returns
    -------
    str
        One of `options`, perhaps with a value: ``"--device cuda"``.
    """
    known = {option[2:]: option for option in options if option.startswith("--")}
    plain = _plain(word)
    if plain in known:
        return known[plain]
    for meant in _OPTIONS.get(plain, ()):
        name, _, value = meant.partition(" ")
        if name in known:
            return f"{known[name]} {value}".rstrip()
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6) if near else []
    return known[close[0]] if close else ""


def names_the_picture(word: str) -> bool:
    """Tell whether an option's name is one for the picture to dream on."""
    return _plain(word) in _PICTURE


def meant_command(word: str, commands: Iterable[str]) -> str:
    """Return the command that was meant, or ``""``."""
    known, plain = list(commands), _plain(word)
    if _COMMANDS.get(plain) in known:
        return _COMMANDS[plain]
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6)
    return close[0] if close else ""


# -- from Python's words to the command line's ---------------------------------------------------

_VALUE = r"'[^']*'|\"[^\"]*\"|\([^()]*\)|\[[^\][]*\]|\.\.\.|[\w.+-]*\w|"

# What has no flag of its own. The message is changed in this order, before the keywords.
_PHRASES = (
    (r"load_net\('([^']+)', (?:'([^']+)'|(\w+))\)",
     lambda m: f"--model {shlex.quote(m[1])} --weights {shlex.quote(m[2]) if m[2] else m[3]}"),
    (r"\bdream\(guide=(\w+)\), or objective=[^\n]*\)", lambda m: f"--guide {m[1]}"),
    (r", or list\(net\.[a-z_]+\)", ""),
    (r"list\(net\.[a-z_]+\)", "deepdream layers"),
    (r"; strict=False loads\s+[^.]*\.", "."),
    (r"True, False, or ", ""),
    (r"\(104, 117, 123\)", "104,117,123"),
    (r"choose a layer with a blob as end\b", "choose a layer with a blob as --end"),
)  # fmt: skip


def in_flags(text: str, flags: Mapping[str, str]) -> str:
    """Return a message of the library in the words of a command line.

    Parameters
    ----------
    text : str
        ``"octave_n is 0: a whole number from 1, or 'all', is expected"``.
    flags : mapping of str to str
        Keyword to flag, those of the command: ``{"octave_n": "--octave-n"}``.

    Returns
    -------
    str
        Where a keyword is named as one (``end='conv4'``, ``octave_n``, ``seed is -1``), its flag
        is; other words, and what stands in quotes, are as they were.
    """
    if not flags:
        return text
    for pattern, meaning in _PHRASES:
        text = re.sub(pattern, meaning, text)
    names = "|".join(sorted(map(re.escape, flags), key=len, reverse=True))
    text = re.sub(rf"(?<![\w'\"./-])({names})=({_VALUE})", lambda m: _given(m, flags), text)
    long = "|".join(re.escape(name) for name in flags if "_" in name)
    if long:
        text = re.sub(
            rf"(?<![\w'\"./-])({long})(?![\w'\"(=/]|-\w|\.\w)", lambda m: flags[m[1]], text
        )
    both = rf"(?<![\w-])({names}) and ({names})(?= both given)"
    text = re.sub(both, lambda m: f"{flags[m[1]]} and {flags[m[2]]}", text)
    # As the subject of a sentence; elsewhere such words are words.
    subject = rf"(?:^|(?<=\n)|(?<=[.:;] ))({names})(?=(?: is| are|:)[ \n])"
    text = re.sub(subject, lambda m: flags[m[1]], text)
    text = re.sub(rf"(?<=with another )({names})$", lambda m: flags[m[1]], text)
    text = re.sub(rf"(?<=parameter )'({names})'", lambda m: flags[m[1]], text)
    listed = r"(--[\w-]+) is [(\[]([^()\[\]]*)[)\]]"  # as it was written: 104,117,123 or 40:8
    text = re.sub(listed, lambda m: f"{m[1]} is {_joined(m[1], m[2])}", text)
    # "pass --max-memory (--max-memory)": the message has said both.
    return re.sub(r"(--[\w-]+)((?: [\w.:,/]+)?) \(\1(?: [^()]*)?\)", r"\1\2", text)


def _joined(flag: str, values: str) -> str:
    between = "," if flag == "--mean" else ":"
    return between.join(part.strip().removesuffix(".0") for part in values.split(","))


def _given(match: re.Match[str], flags: Mapping[str, str]) -> str:
    flag, value = flags[match[1]], match[2]
    if value in ("", "...", "True"):
        return flag
    if value in ("False", "None"):
        return f"--no-{flag[2:]}"
    if value[0] in "([":
        return f"{flag} {_joined(flag, value[1:-1])}"
    if value[0] in "'\"":
        return f"{flag} {shlex.quote(value[1:-1])}"
    return f"{flag} {value}"
