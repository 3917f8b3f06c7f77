"""The mistakes that people make with prototxts, and what they are told."""

from __future__ import annotations

import pytest

from deepdream.errors import PrototxtError
from deepdream.reading.proto import parse_prototxt, read_prototxt


def told(text: str) -> str:
    with pytest.raises(PrototxtError) as caught:
        parse_prototxt(text, "x.prototxt")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("layer { pooling_param { kernel: 3 } }", "Did you mean 'kernel_w', 'kernel_h', 'kernel_"),
        ("layer { dropout_param { ratio: 1 } }", "Did you mean 'dropout_ratio'?"),
        ('Layer { name: "x" }', "Did you mean 'layer', 'layers'?"),
        ("state { xyzzy: 1 }", "It has phase, level, stage."),
        ("layer { dropout_params { } }", "Did you mean 'dropout_param'"),
        ("layer { pooling_param { pool: sum } }", "It has MAX, AVE, STOCHASTIC."),
        ("state { phase: TESTING }", "Did you mean 'TEST'"),
        ("layer { type: INNER_PRODUCT }", 'a type has quotes: "InnerProduct". Or write layers'),
        (
            "layer { type: ReLU }",
            "Expected string but found: 'ReLU'. In layer { } a type has quotes.",
        ),
        ('layers { type: "ReLU" }', "a type has no quotes: RELU. Or write layer { }"),
        ('layers { type: "Gram" }', "a type has no quotes. Or write layer { }"),
        ('layer { name: "x"\nlayer { }', 'Is a "}" missing before it?'),
        ('layer { name: "x" ', 'The text ends before a "{" is closed.'),
        ('name: "x', "Close the quote in the same line."),
        ('name: "x" name: "x"', 'should not have multiple "name" fields. Keep one of them.'),
        ("input_dim: 3.0", "It must be a whole number."),
        (
            "layer { convolution_param { pad: -1 } }",
            "Sizes cannot be negative, nor beyond 32 bits.",
        ),
    ],
)
def test_advice(text, advice):
    """Each message ends its first line with the next step."""
    assert advice in told(text).split("\n")[0]


def test_place_and_line():
    """Line and column count from one, and the line follows as it was written."""
    text = '# a net\nname: "x"\n\tlayer { relu_param { slope: 1 } }\r\nlayer { }'

    assert told(text) == (
        "'x.prototxt', line 3, column 23: Message type \"ReLUParameter\" has no field named "
        "\"slope\". Did you mean 'negative_slope'?\n    layer { relu_param { slope: 1 } }"
    )


def test_long_lines_are_shortened():
    """Of a file without line breaks, the part around the mistake is shown."""
    text = 'layer { name: "a" } ' * 200 + "layer { nme: 3 } " + 'layer { name: "b" } ' * 200

    message, line = told(text).split("\n")

    assert "column 4009" in message
    assert line.startswith("    ... ")
    assert line.endswith(" ...")
    assert "nme: 3" in line
    assert len(line) < 110


@pytest.mark.parametrize("text", ["\x1b[2J: 3", 'name: "\x07" \x00: 3', "\x85\u2028x"])
def test_control_characters_stay_out_of_messages(text):
    """What a hostile file holds cannot steer the terminal."""
    assert told(text).replace("\n", "").isprintable()


@pytest.mark.parametrize("before", [0, 5000])
def test_a_conflict_of_git(tmp_path, before):
    """Wherever in the file it is, with its line."""
    text = (
        'name: "x"\n' + "# \n" * before + "<<<<<<< HEAD\nlayer { }\n=======\nlayer {}\n>>>>>>> b\n"
    )
    path = tmp_path / "x.prototxt"
    path.write_text(text)

    with pytest.raises(PrototxtError, match="git could not merge"):
        read_prototxt(path)
    assert f"line {before + 2}: git could not merge this file: choose one" in told(text)


def test_solver():
    """A solver's prototxt is recognised by its fields, and the net that it names is offered."""
    assert told('net: "models/train_val.prototxt"\nbase_lr: 0.01\n') == (
        "'x.prototxt' is the prototxt of a solver, which tells how a net is trained. Give that of "
        "the net: it names 'models/train_val.prototxt'."
    )
    assert told("base_lr: 0.01\nmax_iter: 10").endswith("Give that of the net.")
