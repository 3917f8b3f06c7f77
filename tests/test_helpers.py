"""The comparers and the golden loader are shown to fail where they have to."""

from __future__ import annotations

import json
import math

import helpers
import numpy as np
import pytest
from helpers import assert_close, assert_same_facts, load_golden, relative_error, worker

RNG = np.random.RandomState(0)
ARRAY = RNG.standard_normal((2, 3, 5, 7)).astype(np.float32)


def changed(index, value):
    """Return the array with one entry set."""
    array = ARRAY.copy()
    array[index] = value
    return array


def test_relative_error_is_the_l2_ratio():
    """A change of 3 in one entry and 4 in another of a vector of length 10 is one half."""
    assert relative_error(np.float32([9, 12, 0]), np.float32([6, 8, 0])) == 0.5


@pytest.mark.parametrize(
    ("actual", "desired", "expected"),
    [
        ([1, np.nan, np.inf], [1, np.nan, np.inf], 0),
        ([1, np.nan], [1, 2], math.inf),
        ([1, 2], [1, np.nan], math.inf),
        ([1, np.inf], [1, -np.inf], math.inf),
        ([0, 1e-30], [0, 0], math.inf),
        ([0, 0], [0, 0], 0),
        ([3, np.nan, 5], [4, np.nan, 5], 1 / math.sqrt(41)),
    ],
)
def test_relative_error_of_special_values(actual, desired, expected):
    """NaN and infinities count as equal to themselves only."""
    assert relative_error(np.array(actual), np.array(desired)) == pytest.approx(expected)


def test_assert_close_accepts_rounding():
    """An error below the tolerance passes, equality passes at 0."""
    assert_close(ARRAY * np.float32(1 + 5e-6), ARRAY, rtol=1e-5)
    assert_close(ARRAY.copy(), ARRAY, rtol=0)


@pytest.mark.parametrize(
    ("actual", "rtol", "message"),
    [
        (ARRAY * np.float32(1 + 2e-5), 1e-5, "relative L2 error 2e-05, allowed 1e-05"),
        (changed((1, 2, 3, 4), 9), 1e-5, r"largest difference is .* at \(1, 2, 3, 4\)"),
        (changed((0, 1, 2, 3), np.nan), 1e-5, r"is inf at \(0, 1, 2, 3\)"),
        (np.nextafter(ARRAY, np.float32(9)), 0, "210 of 210 values are off"),
        (ARRAY[:, :, :, :-1], 1e-5, r"shape \(2, 3, 5, 6\), expected \(2, 3, 5, 7\)"),
        (np.zeros_like(ARRAY), 1e-5, "relative L2 error 1,"),
    ],
    ids=["beyond", "one value", "NaN", "one ulp", "shape", "zeros"],
)
def test_assert_close_fails(actual, rtol, message):
    """Whatever is not the same array fails, and the message says where."""
    with pytest.raises(AssertionError, match=f"^blob: .*{message}"):
        assert_close(actual, ARRAY, rtol, "blob")


@pytest.mark.parametrize(
    ("actual", "desired"),
    [
        ({"raises": ["UnknownBlobError", "KeyError"]}, {"raises": ["KeyError", "LookupError"]}),
        ({"raises": []}, {"raises": []}),
        (1.0000001, 1.0),
        ([["a", [1, 2]], None], [["a", [1, 2]], None]),
    ],
)
def test_facts_that_agree(actual, desired):
    """Subclasses of an exception, rounded numbers, equal structure."""
    assert_same_facts({"fact": actual}, {"fact": desired}, "case")


@pytest.mark.parametrize(
    ("actual", "desired", "message"),
    [
        ({"raises": ["ValueError"]}, {"raises": ["KeyError"]}, "Caffe raises KeyError"),
        ({"raises": []}, {"raises": ["KeyError"]}, "raised nothing"),
        ({"raises": ["KeyError"]}, {"raises": []}, "Caffe raises nothing"),
        (1.001, 1.0, "1.001, expected 1.0"),
        ([1, 2, 3], [1, 5, 3], "entry 1 is 2, expected 5"),
        ([1, 2], [1, 2, 3], "2 entries, expected 3"),
        ({"a": 1}, {"b": 1}, r"\['a'\] != \['b'\]"),
        ([], {"b": 1}, "expected {'b': 1}"),
    ],
)
def test_facts_that_differ(actual, desired, message):
    """Other structure fails, and the message names the fact."""
    with pytest.raises(AssertionError, match=rf"case\.fact.*{message}"):
        assert_same_facts({"fact": actual}, {"fact": desired}, "case")


@pytest.fixture
def golden(tmp_path, monkeypatch):
    """Return a case with one result and one digest, stored and read back."""
    monkeypatch.setattr(helpers, "ACTUAL", tmp_path / "actual")
    record = {
        "what": "A case.",
        "rtol": 1e-5,
        "steps": [{"do": "describe"}],
        "arrays": ["in/x", "out/y.data", "out/digest"],
        "facts": {"digest": [["big", [2, 3]], ["small", [5]]]},
    }
    digest = np.float32([[1e3, 2e3], [1e-3, 2e-3]])
    (tmp_path / "area").mkdir()
    (tmp_path / "area" / "one.json").write_text(json.dumps(record))
    arrays = {"in/x": ARRAY, "out/y.data": ARRAY, "out/digest": digest}
    np.savez(tmp_path / "area" / "one.npz", **arrays)
    return load_golden("area/one", folder=tmp_path)


def results_of(golden, **more):
    """Return the results of a case with some replaced."""
    return {**golden.results, **{key.replace("_", "."): value for key, value in more.items()}}


def test_a_golden_case_agrees_with_itself(golden):
    """What was stored passes its own check."""
    golden.check(golden.results, golden.facts)

    assert list(golden.arrays) == ["x"]


def test_a_golden_case_names_the_blob_and_leaves_what_came_out(golden, tmp_path):
    """A wrong blob fails by name; the arrays of the failed run are kept for a look."""
    wrong = results_of(golden, y_data=changed((0, 0, 0, 0), 9))

    with pytest.raises(AssertionError, match=r"area/one 'y\.data': relative L2"):
        golden.check(wrong, golden.facts)

    with np.load(tmp_path / "actual" / "area" / "one.npz") as kept:
        np.testing.assert_array_equal(kept["y.data"], wrong["y.data"])


def test_a_digest_is_compared_blob_by_blob(golden):
    """A small blob that is wrong is not hidden behind a large one."""
    wrong = results_of(golden, digest=np.float32([[1e3, 2e3], [1e-3, 3e-3]]))

    with pytest.raises(AssertionError, match="digest of 'small'"):
        golden.check(wrong, golden.facts)


def test_missing_results_fail(golden):
    """A result that was not produced fails, and so does a fact."""
    with pytest.raises(AssertionError, match=r"expected \['digest', 'y.data'\]"):
        golden.check({"digest": golden.results["digest"]}, golden.facts)
    with pytest.raises(AssertionError, match="area/one"):
        golden.check(golden.results, {})


def test_missing_golden_files_say_how_to_make_them(golden, tmp_path):
    """Both files of a case are needed."""
    with pytest.raises(FileNotFoundError, match=r"make_golden\.py area/two"):
        load_golden("area/two", folder=tmp_path)
    (tmp_path / "area" / "one.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"make_golden\.py area/one"):
        load_golden("area/one", folder=tmp_path)


def test_pickles_are_not_loaded(golden, tmp_path):
    """An array of objects in a golden file is an error, not a program to run."""
    arrays = {"in/x": np.array([{}]), "out/y.data": ARRAY, "out/digest": ARRAY}
    np.savez(tmp_path / "area" / "one.npz", **arrays)

    with pytest.raises(ValueError, match="allow_pickle"):
        load_golden("area/one", folder=tmp_path)


def test_drawn_values_are_whole_fractions():
    """Every machine draws the same values: multiples of 1/steps, ends included."""
    values = worker.drawn((3, 7), seed=1, low=-2, high=2, steps=2)

    assert set(np.unique(values)) <= {-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2}
    np.testing.assert_array_equal(values[0], np.float32([0.5, 2, 0.5, -2, -2, -1.5, 1.5]))


def test_a_natural_image_has_no_flat_region():
    """Whole grey levels of every scale; two engines break ties on flat ones in their own ways."""
    image = worker.natural_image((3, 40, 56), seed=2)

    assert image.shape == (3, 40, 56)
    np.testing.assert_array_equal(image, np.floor(image))
    assert 25 < image.std() < 75
    blocks = image.reshape(3, 5, 8, 7, 8).std(axis=(2, 4))
    assert blocks.min() > 2


def test_a_digest_sees_a_change_of_every_value():
    """Mean and deviation react even where no sampled position does."""
    array = np.arange(10_000, dtype=np.float32)

    other = worker.digest(array + 1, "blob")

    assert relative_error(worker.digest(array, "blob"), other) > 1e-5
    np.testing.assert_array_equal(worker.digest(array, "blob"), worker.digest(array, "blob"))
