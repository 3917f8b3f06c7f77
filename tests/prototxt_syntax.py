"""What Caffe's parser accepts in a prototxt, and what it refuses.

Handwritten. `parity/test_live_reading.py` asks the real Caffe about every line, `test_proto.py` us.
"""

from __future__ import annotations

# Text, and a plainer text of the same net.
ACCEPTED = {
    "comment": ('# a net\nname: "x" # "y"', 'name: "x"'),
    "only a comment": ("# nothing", ""),
    "comment in braces": ('layer { # x }\n name: "y" } # z', 'layer { name: "y" }'),
    "single quotes": ("name: 'it is \"x\"'", 'name: "it is \\"x\\""'),
    "strings in pieces": ("name: \"in\" 'ception'\n'_4c'", 'name: "inception_4c"'),
    "escapes": (r'name: "\x41\102\n\t\\"', 'name: "AB\\n\\t\\\\"'),
    "a tab in a string": ('name: "a\tb"', 'name: "a\\tb"'),
    "colon before a brace": ('layer: { name: "x" }', 'layer { name: "x" }'),
    "angle brackets": ('layer < name: "x" >', 'layer { name: "x" }'),
    "list of numbers": (
        "input_dim: [1, 3, 5, 7]",
        "input_dim:1 input_dim:3 input_dim:5 input_dim:7",
    ),
    "empty list": ("input_dim: []", ""),
    "list of messages": ('layer [{name: "a"}, {name: "b"}]', 'layer {name:"a"} layer {name:"b"}'),
    "commas and semicolons": ('name: "x", input_dim: 1; input_dim: 2', 'name:"x" input_dim:[1,2]'),
    "separator behind a message": ('layer { name: "x"; };', 'layer { name: "x" }'),
    "no blanks": ('name:"x"input:"y"layer{}layer{}', 'name: "x" input: "y" layer { } layer { }'),
    "windows line ends": ('name: "x"\r\n# y\r\ninput_dim: 3\r\n', 'name: "x" input_dim: 3'),
    "hexadecimal": ("input_dim: 0x1F", "input_dim: 31"),
    "octal": ("input_dim: 010", "input_dim: 8"),
    "enum by number": ("state { phase: 1 }", "state { phase: TEST }"),
    "t for true": ("force_backward: t", "force_backward: true"),
    "True": ("force_backward: True", "force_backward: true"),
    "1 for true": ("force_backward: 1", "force_backward: true"),
    "f for false": ("force_backward: f", "force_backward: false"),
    "0 for false": ("force_backward: 0", "force_backward: false"),
    "float with f": ("layer { loss_weight: 0.1f }", "layer { loss_weight: 0.1 }"),
    "float from an integer": ("layer { loss_weight: 3 }", "layer { loss_weight: 3.0 }"),
    "float without digits before": ("layer { loss_weight: .5 }", "layer { loss_weight: 0.5 }"),
    "float without digits behind": ("layer { loss_weight: 5. }", "layer { loss_weight: 5.0 }"),
    "float with exponent": ("layer { loss_weight: 1E-3 }", "layer { loss_weight: 0.001 }"),
    "infinity": ("layer { loss_weight: -inf }", "layer { loss_weight: -infinity }"),
    "float too large": ("layer { loss_weight: 1e999 }", "layer { loss_weight: inf }"),
    "accents": ('name: "é" # ü', 'name: "\\303\\251"'),
    "inputs behind layers": ('layer { name: "x" } input: "y"', 'input: "y" layer { name: "x" }'),
    "all generations at once": ("layer { } layers { layer { } }", "layers { layer { } } layer { }"),
}

REFUSED = {
    "unknown field": "layer { nme: 3 }",
    "field of another case": 'Layer { name: "x" }',
    "fraction for an integer": "input_dim: 3.0",
    "integer too large": "input_dim: 2147483648",
    "negative size": "layer { convolution_param { num_output: -3 } }",
    "word for a float": "layer { loss_weight: much }",
    "hexadecimal float": "layer { loss_weight: 0x10 }",
    "number for a string": "name: 3",
    "word for a string": "layer { type: CONVOLUTION }",
    "string for an enum": 'layers { type: "CONVOLUTION" }',
    "unknown enum value": "layer { pooling_param { pool: MEAN } }",
    "unknown enum number": "state { phase: 7 }",
    "bool in capitals": "force_backward: TRUE",
    "2 for true": "force_backward: 2",
    "number given twice": "force_backward: true force_backward: true",
    "string given twice": 'layer { name: "x" name: "x" }',
    "message given twice": "layer { relu_param { } relu_param { } }",
    "brace not closed": 'layer { name: "x"',
    "brace too many": 'layer { name: "x" } }',
    "quote not closed": 'name: "x',
    "string over two lines": 'name: "a\nb"',
    "wrong closing quote": "name: 'a\"",
    "no value": "name:",
    "no colon": 'name "x"',
    "comma behind the last of a list": "input_dim: [1, 2,]",
    "C comment": '// x\nname: "y"',
    "numbers run together": "input_dim: 3input_dim: 4",
    "suffix of C": "input_dim: 3L",
    "extension": "[caffe.x]: 3",
    "web page": "<!DOCTYPE html><html></html>",
}

# Where protobuf's two parsers differ, and the byte order mark, which we accept on purpose.
ONLY_CAFFE_ACCEPTS = {
    "blank behind a minus": "layer { loss_weight: - 3 }",
    "hexadecimal bool": "force_backward: 0x1",
    "bytes that are no text": r'name: "\377"',
}
ONLY_WE_ACCEPT = {
    "byte order mark": '\ufeffname: "x"',
    "plus sign": "input_dim: +3",
    "unknown escape": r'name: "\q"',
}
