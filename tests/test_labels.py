"""The names of classes: the right number for what people write, and an offer for what they mean."""

from __future__ import annotations

from typing import Any

import pytest
from tiny import TINY, tiny_net

from deepdream.cli import main
from deepdream.errors import DeepDreamError, ParameterError, UnknownLabelError
from deepdream.models.labels import (
    classes_of,
    find_label,
    find_labels,
    label_name,
    labels_of,
    logits_of,
)
from deepdream.models.load import load_graph
from deepdream.models.registry import MODELS

COUNTS = {"imagenet": 1000, "places205": 205, "places365": 365}


@pytest.fixture(scope="module")
def net() -> Any:
    return load_graph()


@pytest.mark.parametrize("name", MODELS)
def test_every_registered_network_has_names_for_its_classes(name: str) -> None:
    graph = load_graph(name)
    labels = labels_of(graph)

    assert len(labels) == COUNTS[MODELS[name].labels]
    assert str(len(labels)) in MODELS[name].classes
    assert all(label and label == label.strip() for label in labels)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("googlenet", "loss3/classifier"), ("vgg19", "fc8"), ("resnet50", "fc1000"),
     ("squeezenet_v1.1", "pool10"), ("efficientnet_lite0", "classifier")],
)  # fmt: skip
def test_the_layer_before_the_softmax(name: str, layer: str) -> None:
    assert logits_of(load_graph(name)) == layer


def test_imagenets_order_is_that_of_its_synsets(net: Any) -> None:
    """Numbers that everybody knows: from published demonstrations of Caffe and others."""
    known = {0: "tench", 7: "cock", 130: "flamingo", 281: "tabby", 340: "zebra", 388: "giant panda",
             504: "coffee mug", 701: "parachute", 817: "sports car", 954: "banana",
             999: "toilet tissue"}  # fmt: skip

    assert {i: label_name(net, i) for i in known} == known


def test_places_order() -> None:
    small, large = (load_graph(f"googlenet_places{n}") for n in (205, 365))

    assert [label_name(small, i) for i in (0, 1, 204)] == ["abbey", "airport_terminal", "yard"]
    assert [label_name(large, i) for i in (0, 1, 364)] == [
        "airfield", "airplane_cabin", "zen_garden",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("hen", 8),
        ("Hen", 8),
        (8, 8),
        ("8", 8),
        (" 8 ", 8),
        ("golden retriever", 207),
        ("golden_retriever", 207),
        ("Golden-Retriever", 207),
        ("jack-o'-lantern", 607),
        ("Canis lupus", 269),  # any of its names
        ("tench, Tinca tinca", 0),  # all of them, as they are listed
        ("drum", 541),  # a name, though "steel drum" has the word too
        ("missile", 657),  # the usual name of one, and another name of 744
        ("maillot", 638),  # all of one, and a part of 639
        ("hot dog", 934),
        ("owl", 24),  # the great grey one is the only one
        ("bananas", 954),
        ("churches", 497),
        ("sunglasses", 837),  # not 836, sunglass
    ],
)
def test_what_people_write(net: Any, written: Any, number: int) -> None:
    assert find_label(net, written) == number


@pytest.mark.parametrize(
    ("word", "count", "members", "others"),
    [
        ("dog", 118, (151, 207, 268), (273, 934)),  # neither the dingo nor the hot dog
        ("dogs", 118, (151, 207, 268), ()),
        ("Birds", 59, (8, 94, 130), (397,)),
        ("cat", 5, (281, 285), (286, 383)),
        ("butterflies", 6, (321, 326), (320,)),
        ("panda", 2, (387, 388), ()),
    ],
)
def test_words_for_many_classes(
    net: Any, word: str, count: int, members: tuple[int, ...], others: tuple[int, ...]
) -> None:
    found = find_labels(net, word)

    assert len(found) == count == len(set(found))
    assert set(members) <= set(found)
    assert not set(others) & set(found)
    with pytest.raises(UnknownLabelError, match=f"stands for {count} classes, and one is wanted"):
        find_label(net, word)


def test_every_family_is_of_classes_that_there_are(net: Any) -> None:
    classes = classes_of(net)

    for word, members in classes.families.items():
        assert list(members) == sorted(set(members)), word
        assert len(members) >= 2, word
        assert members[-1] < 1000, word
        if word not in {names[0] for names in classes.names}:
            assert classes.find(word) == members, word


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("goldfich", r"no class is called 'goldfich'\. Did you mean .*'goldfish'"),
        ("crane", r"any of 2 classes: 134 \(crane\), 517 \(crane\)\.\nWrite more"),
        ("spaniel", r"any of 9 classes: 152 \(Japanese spaniel\).* and 5 more"),
        ("hen, jay", r"Several classes are several terms: --end class:NAME for each"),
        ("", "no class is called ''"),
        ("-", "no class is called '-'"),
        (1000, "there is no class 1000: the network has 1000, from 0 on"),
        (-1, "there is no class -1"),
        (2.5, "a name or a whole number, not 2.5"),
        (True, "a name or a whole number, not True"),
        (None, "a name or a whole number, not None"),
    ],
)
def test_what_no_class_is_called(net: Any, written: Any, message: str) -> None:
    with pytest.raises(UnknownLabelError, match=message) as caught:
        find_label(net, written)

    assert isinstance(caught.value, KeyError)
    assert len(str(caught.value).splitlines()) <= 3


def test_a_slash_of_places_stands_before_a_kind() -> None:
    small, large = (load_graph(f"googlenet_places{n}") for n in (205, 365))

    assert label_name(small, find_label(small, "church")) == "church/outdoor"
    assert label_name(small, find_label(small, "coral reef")) == "underwater/coral_reef"
    with pytest.raises(UnknownLabelError, match="church/indoor.*church/outdoor"):
        find_label(large, "church")


def test_a_net_of_ones_own_is_asked_by_number() -> None:
    """TINY tells 11 classes apart, and nobody knows which."""
    net = tiny_net()

    assert find_label(net, 10) == 10
    assert label_name(net, 10) == "10"
    with pytest.raises(UnknownLabelError, match="names of the 11 classes of tiny are not known"):
        find_label(net, "hen")
    with pytest.raises(UnknownLabelError, match="there is no class 11"):
        find_label(net, 11)


def test_a_net_of_ones_own_with_imagenets_classes() -> None:
    net = tiny_net(text=TINY.replace("num_output: 11", "num_output: 1000"))

    assert find_label(net, "hen") == 8


def test_without_a_softmax_the_last_layer_counts() -> None:
    net = tiny_net(text=TINY[: TINY.index('layer { name: "prob"')])

    assert logits_of(net) == "fc"


@pytest.mark.parametrize("last", ["pool2", "a/output"])
def test_what_is_no_classifier(last: str) -> None:
    layers = TINY.split("layer {")
    end = next(i for i, text in enumerate(layers) if f'name: "{last}"' in text)
    net = tiny_net(text="layer {".join(layers[: end + 1]))

    with pytest.raises(ParameterError, match="it is no classifier"):
        find_label(net, 3)


def test_splits_are_looked_past() -> None:
    """In nets for training an Accuracy layer reads the logits too."""
    extra = 'layer { name: "also" type: "Softmax" bottom: "fc" top: "also" }'

    assert logits_of(tiny_net(text=TINY + extra)) == "fc"


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["labels"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "   0  tench, Tinca tinca"
    assert lines[999].startswith(" 999  toilet tissue")
    assert "dog: 118 classes together, 151 to 268" in lines


def test_the_command_finds_words_and_families(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["labels", "panda"]) == 0
    out = capsys.readouterr().out

    assert [line.split()[0] for line in out.splitlines()] == ["387", "388", "panda:"]
    for word, family in (("Butterflies", "butterfly"), ("foxes", "fox")):
        assert main(["labels", word]) == 0
        assert f"{family}: " in capsys.readouterr().out
    assert main(["labels", "bus"]) == 0
    assert " classes together" not in capsys.readouterr().out
    assert main(["labels", "castle", "--model", "googlenet_places365"]) == 0
    assert capsys.readouterr().out == "  84  castle\n"
    assert main(["labels", "beginning of no name"]) == 2
    assert "no class is called" in capsys.readouterr().err


def test_errors_are_of_this_package() -> None:
    assert issubclass(UnknownLabelError, DeepDreamError)
