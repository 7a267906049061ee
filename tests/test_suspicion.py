"""The suspicion index: what it adds up, that its file is data, and that bad files are named."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

import mcdetect.models
from mcdetect.clusters.features import unstable_features
from mcdetect.clusters.scoring import CONTRIBUTIONS, Feature, Scorer, Term, default_scorer, score_groups
from mcdetect.errors import McdetectError, UnreadableFileError
from mcdetect.schema import CLUSTERS

FILE = Path(mcdetect.models.__file__).with_name("suspicion.json")


def groups(**given: Any) -> pd.DataFrame:
    """Rows at the reference values: tight groups of alike round members."""
    n = max((len(v) for v in given.values()), default=1)
    rows = {name: np.zeros(n) for name in default_scorer().columns}
    rows |= {
        "distribution_grouped": np.ones(n),
        "morphology_punctate": np.ones(n),
        "benign_share": np.full(n, 0.0),
        "density_per_cm2": np.full(n, 20.0),
        "suspicious_in_window": np.full(n, 5.0),
        "curve_residual_mm": np.ones(n),
    }
    return pd.DataFrame(rows | given)


def test_contributions_add_up_to_the_index() -> None:
    scorer = default_scorer()
    rng = np.random.default_rng(0)
    table = groups(**{name: rng.uniform(0, 1, 50) for name in scorer.columns})
    scored = scorer.score(table)
    parts = scored[[f"suspicion_{name}" for name in CONTRIBUTIONS]]
    assert list(scored.columns) == ["suspicion", *parts.columns]
    np.testing.assert_allclose(logit(scored["suspicion"] / 100), scorer.base + parts.sum(axis=1))
    assert scored["suspicion"].between(0, 100).all()


def test_the_reference_group_owes_nothing_to_any_feature() -> None:
    scored = default_scorer().score(groups())
    assert scored.drop(columns="suspicion").to_numpy() == pytest.approx(0.0)


def test_what_is_known_raises_and_lowers_the_index() -> None:
    index = [
        default_scorer().score(groups(**{k: [v] for k, v in change.items()}))["suspicion"].iloc[0]
        for change in (
            {"benign_vascular": 1.0, "distribution_linear": 1.0, "distribution_grouped": 0.0},
            {"distribution_diffuse": 1.0, "distribution_grouped": 0.0},
            {},
            {"morphology_fine_pleomorphic": 1.0, "morphology_punctate": 0.0},
            {"morphology_fine_linear": 1.0, "morphology_punctate": 0.0},
            {"suspicious_in_window": 30.0},
            {
                "morphology_fine_linear": 1.0,
                "distribution_linear": 1.0,
                "casting_type": 1.0,
                "suspicious_in_window": 30.0,
            },
        )
    ]
    assert index == sorted(index)
    assert index[0] < 5
    assert index[-1] > 90


def test_only_the_strongest_benign_kind_counts() -> None:
    one = default_scorer().score(groups(benign_vascular=[1.0]))
    both = default_scorer().score(groups(benign_vascular=[1.0], benign_coarse=[0.9]))
    assert both["suspicion"].iloc[0] == pytest.approx(one["suspicion"].iloc[0])


def test_a_missing_value_adds_nothing_and_a_missing_column_is_an_error() -> None:
    scored = default_scorer().score(groups(density_per_cm2=[math.nan, 20.0]))
    assert scored["suspicion"].iloc[0] == scored["suspicion"].iloc[1]
    with pytest.raises(ValueError, match="density_per_cm2"):
        default_scorer().score(groups().drop(columns="density_per_cm2"))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20), st.integers(0, 99))
@settings(max_examples=60)
def test_the_index_is_always_finite(values: list[float], place: int) -> None:
    name = default_scorer().columns[place % len(default_scorer().columns)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scored = default_scorer().score(groups(**{name: values}))
    assert np.isfinite(scored.to_numpy()).all()
    assert scored["suspicion"].between(0, 100).all()


def test_no_group_gives_an_empty_table() -> None:
    scored = default_scorer().score(groups().iloc[:0])
    assert scored.empty
    assert scored.columns[0] == "suspicion"


def test_the_index_of_the_table_is_kept() -> None:
    table = groups(casting_type=[0.1, 0.9])
    table.index = pd.Index([7, 3])
    assert default_scorer().score(table).index.tolist() == [7, 3]


def test_what_does_not_repeat_is_no_part_of_the_index() -> None:
    assert not set(default_scorer().columns) & unstable_features("cluster")


# ---------------------------------------------------------------- the file


def test_the_file_reads_columns_that_exist_and_names_its_evidence() -> None:
    scorer = default_scorer()
    assert set(scorer.columns) <= {column.name for column in CLUSTERS}
    assert tuple(feature.name for feature in scorer.features) == CONTRIBUTIONS
    for feature in scorer.features:
        assert feature.evidence, feature.name
        for note in feature.evidence:
            assert note["claim"]
            assert note["source"]
            assert isinstance(note["verified"], bool)
    assert "no probability" in scorer.about["what"]


def test_it_reads_what_it_writes(tmp_path: Path) -> None:
    text = default_scorer().to_json(tmp_path / "mine.json")
    assert Scorer.from_json(tmp_path / "mine.json") == default_scorer()
    assert text == FILE.read_text(encoding="utf-8") == (tmp_path / "mine.json").read_text(encoding="utf-8")


def test_own_coefficients(tmp_path: Path) -> None:
    mine = Scorer("mine", -1.0, (Feature("size", (Term("diameter_mm_mean", 2.0, 0.3, "log", 0.1, 2.0),)),))
    mine.to_json(tmp_path / "mine.json")
    scored = Scorer.from_json(tmp_path / "mine.json").score({"diameter_mm_mean": [0.3, 0.6, 100.0]})
    np.testing.assert_allclose(scored["suspicion_size"], [0, 2 * math.log(2), 2 * math.log(2 / 0.3)])
    assert scored["suspicion"].iloc[0] == pytest.approx(100 / (1 + math.e))


def changed(**change: Any) -> str:
    return json.dumps(json.loads(FILE.read_text(encoding="utf-8")) | change)


def with_term(**change: Any) -> str:
    data = json.loads(FILE.read_text(encoding="utf-8"))
    data["features"][0]["terms"][0] |= change
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "not a suspicion index"),
        ('{"format": "other"}', "not a suspicion index"),
        ("[" * 100000, "nested too deeply"),
        (changed(base="high"), "base must be a finite number"),
        (changed(base=None), "base must be a finite number"),
        (changed(features=[]), "features must be given"),
        (changed(features="x"), "features must be given as list"),
        (changed(features=[3]), "a feature must be an object"),
        (changed(code="import os"), "unknown key 'code'"),
        (with_term(coefficient=math.inf), "no usable number"),
        (with_term(coefficient=1e300), "coefficient must be a finite number"),
        (with_term(coefficient=True), "coefficient must be a finite number"),
        (with_term(coefficient=50.0), "no log-odds"),
        (with_term(scale="exp"), "scale must be one of"),
        (with_term(scale="log"), "must be positive"),
        (with_term(low=2.0), "low must not exceed high"),
        (with_term(column=""), "needs a column"),
        (with_term(formula="__import__('os')"), "unknown key 'formula'"),
    ],
)
def test_bad_files_are_named_with_cause_and_remedy(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=words) as caught:
        Scorer.from_json(file)
    assert str(caught.value).startswith("mine.json: ")
    assert "suspicion.json" in str(caught.value)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(McdetectError, match=r"gone\.json: cannot be read"):
        Scorer.from_json(tmp_path / "gone.json")
    with pytest.raises(McdetectError, match="cannot be read"):
        Scorer.from_json(tmp_path)
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(McdetectError, match="not UTF-8"):
        Scorer.from_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(McdetectError, match="too large"):
        Scorer.from_json(tmp_path / "c.json")


_ODD = st.none() | st.booleans() | st.floats() | st.text(max_size=5)
_KEYS = st.sampled_from(["format", "name", "base", "features", "terms", "column", "coefficient", "evidence"])


@given(
    st.recursive(
        _ODD, lambda x: st.lists(x, max_size=3) | st.dictionaries(_KEYS, x, max_size=4), max_leaves=8
    )
)
@settings(max_examples=40)
def test_nothing_but_value_errors_comes_of_odd_data(data: Any) -> None:
    for value in (data, {"format": "mcdetect suspicion index 1", "name": "a", "base": 0.0, "features": data}):
        with pytest.raises(ValueError):
            Scorer.from_dict(value)


def test_the_detectors_confidence_is_still_there() -> None:
    assert score_groups(np.array([1] * 5), np.full(5, 2.0), 5)[0] > 0.5
