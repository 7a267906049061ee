"""Model files: the same predictions as scikit-learn, and nothing but valid data is ever loaded."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from training_examples import examples, rows_of

from mcdetect.errors import UnreadableFileError
from mcdetect.models.cluster_model import FORMAT, MAX_BYTES, Linear, sigmoid
from mcdetect.models.trees import Forest
from mcdetect.training import ClusterModel
from mcdetect.training.fitting import Recipe, fit

LOGISTIC = Recipe("logistic", 0, 1.0)
BOOSTING = Recipe("boosting", n_trees=25, n_leaves=6)


def table() -> tuple[pd.DataFrame, np.ndarray]:
    """Return clusters with missing values; one column tells by being missing."""
    rng = np.random.default_rng(0)
    data = examples(150, 2)
    frame = data.clusters.iloc[:, 2:].copy()
    frame["noise_0"] = frame["noise_0"].mask(rng.random(len(frame)) < 0.8 * data.label)
    frame["good_0"] = frame["good_0"].mask(rng.random(len(frame)) < 0.2)
    frame["noise_1"] *= 1e4
    return frame, data.label


@pytest.fixture(scope="module", params=[LOGISTIC, BOOSTING], ids=["logistic", "boosting"])
def trained(request: pytest.FixtureRequest) -> tuple[ClusterModel, Any, pd.DataFrame]:
    frame, label = table()
    fitted = fit(request.param, rows_of(frame.to_numpy(), label))
    names = tuple(frame.columns[fitted.columns])
    estimator = fitted.estimator if request.param is BOOSTING else logistic_twin(frame[list(names)], label)
    return ClusterModel(names, fitted.rule, calibration=(1.2, -0.3)), estimator, frame


def logistic_twin(frame: pd.DataFrame, label: np.ndarray) -> Any:
    """Fit the same with scikit-learn: rows are repeated until both classes are equally many."""
    n1, n0 = int(label.sum()), int((1 - label).sum())
    of_class = np.array([n1, n0]) // np.gcd(n1, n0)
    rows = np.repeat(np.arange(label.size), of_class[label])
    weight = 4 * n1 * n0 / (n1 + n0) / rows.size
    logistic = LogisticRegression(C=LOGISTIC.strength * weight, tol=1e-12, solver="newton-cholesky")
    pipeline = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), logistic)
    return pipeline.fit(frame.to_numpy()[rows], label[rows])


def test_predictions_equal_those_of_scikit_learn(trained: tuple[ClusterModel, Any, pd.DataFrame]) -> None:
    model, estimator, frame = trained
    loaded = ClusterModel.from_json(model.to_json())
    rng = np.random.default_rng(1)
    far = pd.DataFrame(rng.normal(0, 1e3, (500, frame.shape[1])), columns=frame.columns)
    far = far.mask(rng.random(far.shape) < 0.3)
    if isinstance(model.rule, Linear):
        far = far.clip(frame.min(), frame.max(), axis=1)  # beyond what was seen the model stays flat
    for rows in (frame, far):
        theirs = estimator.predict_proba(rows[list(model.features)].to_numpy())[:, 1]
        assert np.abs(loaded.score(rows) - theirs).max() < 1e-9
        raw = estimator.decision_function(rows[list(model.features)].to_numpy())
        assert np.allclose(loaded.log_odds(rows), raw, rtol=1e-12, atol=1e-9)
        assert np.allclose(loaded.probability(rows), expit(1.2 * raw - 0.3), atol=1e-12)
    assert loaded.to_json() == model.to_json()
    assert loaded.digest == model.digest


def test_missing_values_decide_in_trees() -> None:
    """The trees learn from what is missing, so a threshold may be infinite; the file stays finite."""
    frame, label = table()
    fitted = fit(BOOSTING, rows_of(frame.to_numpy(), label))
    assert isinstance(fitted.rule, Forest)
    model = ClusterModel(tuple(frame.columns), fitted.rule)
    json.loads(model.to_json(), parse_constant=lambda name: pytest.fail(name))
    known, missing = frame.head(1).assign(noise_0=0.0), frame.head(1).assign(noise_0=np.nan)
    assert model.log_odds(missing)[0] > model.log_odds(known)[0] + 0.5


def test_order_and_further_columns_do_not_matter(trained: tuple[ClusterModel, Any, pd.DataFrame]) -> None:
    model, _, frame = trained
    shuffled = frame[frame.columns[::-1]].assign(file="x")
    assert np.array_equal(model.score(shuffled), model.score(frame))
    applied = model.apply(shuffled)
    assert list(applied.columns[-2:]) == ["model_score", "probability"]
    assert len(model.apply(shuffled.head(0))) == 0
    with pytest.raises(ValueError, match="good_1, a column that clusters do not have"):
        model.score(frame.drop(columns="good_1"))
    with pytest.raises(ValueError, match="good_1 must hold numbers"):
        model.score(frame.assign(good_1="text"))


def test_kinds_of_numbers(trained: tuple[ClusterModel, Any, pd.DataFrame]) -> None:
    model, _, frame = trained
    whole = frame.assign(noise_2=1)
    for kind in ("int64", "bool", "Int64", "float32"):
        assert np.array_equal(
            model.score(whole.assign(noise_2=whole["noise_2"].astype(kind))), model.score(whole)
        )
    gone = whole.assign(noise_2=pd.array([pd.NA] * len(whole), dtype="Int64"))
    assert np.array_equal(model.score(gone), model.score(whole.assign(noise_2=np.nan)))
    assert np.array_equal(model.score(whole.assign(noise_2=np.inf)), model.score(gone))


def test_contributions_add_up() -> None:
    frame, label = table()
    fitted = fit(LOGISTIC, rows_of(frame.to_numpy(), label))
    assert isinstance(fitted.rule, Linear)
    parts = fitted.rule.contributions(frame.to_numpy())
    assert np.allclose(parts.sum(axis=1) + fitted.rule.intercept, fitted.log_odds(frame.to_numpy()))


def test_sigmoid_is_stable() -> None:
    values = np.array([-1e9, -40.0, 0.0, 40.0, 1e9])
    assert np.allclose(sigmoid(values), [0.0, 4.248354e-18, 0.5, 1.0, 1.0], atol=1e-16)


# --------------------------------------------------------------------------------------- bad files


def small(kind: str) -> dict[str, Any]:
    """Return a valid file by hand."""
    leaf = {"feature": -1, "threshold": 0.0, "missing_left": 0, "left": 0, "right": 0}
    root = {"feature": 1, "threshold": 0.5, "missing_left": 1, "left": 1, "right": 2}
    nodes = [root | {"value": 0.0}, leaf | {"value": -1.0}, leaf | {"value": 1.0}]
    part: dict[str, Any] = {
        "base": 0.25,
        "trees": [{name: [node[name] for node in nodes] for name in nodes[0]}],
    }
    if kind == "logistic":
        part = {name: [1.0, 2.0] for name in ("medians", "means", "scales", "coefficients")}
        part |= {"lows": [-10.0, -10.0], "highs": [10.0, 10.0], "intercept": -0.5}
    return {
        "format": FORMAT,
        "kind": kind,
        "target": "malignant",
        "features": ["a", "b"],
        "transforms": ["none", "none"],
        "joined": ["b"],
        "pooled": {"level": "group", "by": "none"},
        kind: part,
        "calibration": {"method": "sigmoid", "slope": 1.0, "intercept": 0.0},
        "about": {"clusters": 3},
    }


def test_the_files_made_by_hand_are_valid() -> None:
    rows = pd.DataFrame({"a": [0.0, 0.0, 0.0], "b": [0.0, 1.0, np.nan]})
    trees, line = (ClusterModel.from_json(json.dumps(small(kind))) for kind in ("boosting", "logistic"))
    assert trees.log_odds(rows).tolist() == [-0.75, 1.25, -0.75]
    assert line.log_odds(rows).tolist() == [-3.5, -2.5, -1.5]


BAD = [
    ("logistic", ("format",), "mcdetect cluster model 0"),
    ("logistic", ("kind",), "forest"),
    ("logistic", ("features",), []),
    ("logistic", ("features",), ["a", "a"]),
    ("logistic", ("features",), ["a", "b\n"]),
    ("logistic", ("features",), ["a", 1]),
    ("logistic", ("features",), "ab"),
    ("logistic", ("target",), 7),
    ("logistic", ("about",), "text"),
    ("logistic", ("more",), 1),
    ("logistic", ("logistic",), []),
    ("logistic", ("logistic", "scales"), [1.0, 0.0]),
    ("logistic", ("logistic", "scales"), [1.0, -1.0]),
    ("logistic", ("logistic", "means"), [1.0]),
    ("logistic", ("logistic", "means"), [1.0, True]),
    ("logistic", ("logistic", "means"), [1.0, "2"]),
    ("logistic", ("logistic", "means"), [1.0, None]),
    ("logistic", ("logistic", "means"), [1.0, 10**400]),
    ("logistic", ("logistic", "lows"), [11.0, 0.0]),
    ("logistic", ("logistic", "highs"), [1.0]),
    ("logistic", ("transforms",), ["none"]),
    ("logistic", ("transforms",), ["none", "exp"]),
    ("logistic", ("transforms",), ["none", ["log"]]),
    ("logistic", ("joined",), ["c"]),
    ("logistic", ("joined",), ["b", "b"]),
    ("logistic", ("joined",), [["b"]]),
    ("logistic", ("joined",), "b"),
    ("logistic", ("pooled", "level"), "hospital"),
    ("logistic", ("pooled", "by"), "max"),
    ("logistic", ("pooled", "by"), ["max"]),
    ("logistic", ("pooled",), []),
    ("boosting", ("pooled",), {"level": "image", "by": "none"}),
    ("logistic", ("logistic", "intercept"), float("nan")),
    ("logistic", ("logistic", "intercept"), float("inf")),
    ("logistic", ("logistic", "code"), "import os"),
    ("logistic", ("calibration", "slope"), 0.0),
    ("logistic", ("calibration", "slope"), -1.0),
    ("logistic", ("calibration", "method"), "eval"),
    ("logistic", ("calibration",), []),
    ("boosting", ("boosting", "trees"), {}),
    ("boosting", ("boosting", "trees"), [{}]),
    ("boosting", ("boosting", "base"), "0"),
    ("boosting", ("boosting", "trees", 0, "feature"), []),
    ("boosting", ("boosting", "trees", 0, "feature"), [2, -1, -1]),
    ("boosting", ("boosting", "trees", 0, "feature"), [-2, -1, -1]),
    ("boosting", ("boosting", "trees", 0, "feature"), [0.5, -1, -1]),
    ("boosting", ("boosting", "trees", 0, "left"), [0, 0, 0]),
    ("boosting", ("boosting", "trees", 0, "left"), [3, 0, 0]),
    ("boosting", ("boosting", "trees", 0, "right"), [2, 0]),
    ("boosting", ("boosting", "trees", 0, "missing_left"), [2, 0, 0]),
    ("boosting", ("boosting", "trees", 0, "value"), [0.0, float("inf"), 1.0]),
]


@pytest.mark.parametrize(("kind", "where", "value"), BAD, ids=lambda item: str(item)[:40])
def test_bad_content_is_refused(kind: str, where: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    data = small(kind)
    place: Any = data
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    file = tmp_path / "model.json"
    file.write_text(json.dumps(data))
    with pytest.raises(UnreadableFileError) as caught:
        ClusterModel.load(file)
    assert str(caught.value).startswith("model.json: ")
    assert "; " in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_nothing_may_lack(kind: str) -> None:
    def without(data: Any) -> Any:
        keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else []
        for key in keys:
            copy = json.loads(json.dumps(data))
            del copy[key]
            yield copy
            for inner in without(data[key]):
                copy = json.loads(json.dumps(data))
                copy[key] = inner
                yield copy

    count = 0
    for data in without(small(kind)):
        if data.get("about") == {} or data.get("joined") == [] or data.get(kind, {}).get("trees") == []:
            continue  # these may be empty
        count += 1
        with pytest.raises(UnreadableFileError):
            ClusterModel.from_json(json.dumps(data))
    assert count > 20


@given(st.sampled_from(["logistic", "boosting"]), st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_damaged_bytes_never_do_more_than_raise(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = bytearray(json.dumps(small(kind)).encode())
    for _ in range(int(rng.integers(1, 4))):
        raw[int(rng.integers(len(raw)))] = int(rng.integers(32, 127))
    try:
        model = ClusterModel.from_json(raw.decode())
    except UnreadableFileError:
        return
    rows = pd.DataFrame({name: [0.0, np.nan] for name in model.features})
    assert np.isfinite(model.score(rows)).all()


def test_files_that_are_no_models(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    contents = {
        "pickle": pickle.dumps(Evil()),
        "text": b"hello",
        "empty": b"",
        "latin": "é".encode("latin-1"),
        "deep": b"[" * 100_000,
        "twice": b'{"format": "a", "format": "b"}',
        "constant": b'{"format": NaN}',
        "digits": b"1" * 10_000,
        "list": b"[]",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableFileError, match=rf"^{name}: "):
            ClusterModel.load(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(UnreadableFileError, match=r"missing\.json: cannot be opened"):
        ClusterModel.load(tmp_path / "missing.json")
    with pytest.raises(UnreadableFileError, match="cannot be opened"):
        ClusterModel.load(tmp_path)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UnreadableFileError, match="larger than 50 MB"):
        ClusterModel.load(tmp_path / "huge")


def test_scales_bounds_and_joined_columns() -> None:
    data = small("logistic") | {"transforms": ["log", "logit percent"], "joined": ["b"]}
    model = ClusterModel.from_json(json.dumps(data))
    rows = pd.DataFrame({"a": [np.e**2, np.e**2, np.e**99], "b": [50.0, np.nan, 50.0]})
    # medians, means, scales and coefficients are 1 for a and 2 for b, the intercept -0.5
    assert model.log_odds(rows) == pytest.approx([1.0 - 2.0 - 0.5, 1.0 - 0.5, 9.0 - 2.0 - 0.5])
    assert model.log_odds(rows.drop(columns="b")) == pytest.approx([0.5, 0.5, 8.5])
    with pytest.raises(ValueError, match="the model reads a"):
        model.log_odds(rows.drop(columns="a"))
    assert ClusterModel.from_json(model.to_json()).digest == model.digest


def test_an_earlier_file_is_read() -> None:
    data = small("logistic") | {"format": "mcdetect cluster model 1"}
    for key in ("transforms", "joined", "pooled"):
        del data[key]
    for key in ("lows", "highs"):
        del data["logistic"][key]
    model = ClusterModel.from_json(json.dumps(data))
    rows = pd.DataFrame({"a": [0.0, 1e6], "b": [0.0, np.nan]})
    assert model.log_odds(rows) == pytest.approx([-1.0 - 2.0 - 0.5, 1e6 - 1.0 - 0.5])
    assert ClusterModel.from_json(model.to_json()).digest == model.digest


@pytest.mark.parametrize("by", ["max", "log-sum"])
def test_units_are_pooled(by: str) -> None:
    data = small("logistic") | {"pooled": {"level": "image", "by": by}}
    data["calibration"] = {"method": "sigmoid", "slope": 2.0, "intercept": 0.5}
    model = ClusterModel.from_json(json.dumps(data))
    rows = pd.DataFrame({"file": ["y", "x", "y"], "a": [0.0, 1.0, 2.0], "b": 2.0})
    x, y1, y2 = (-0.5, -1.5, 0.5)
    assert model.log_odds(rows) == pytest.approx([y1, x, y2])
    pooled = np.array([x, max(y1, y2) if by == "max" else np.log(np.exp(y1) + np.exp(y2))])
    found = model.of_units(rows)
    assert found["file"].tolist() == ["x", "y"]
    assert found["model_score"].to_numpy() == pytest.approx(expit(pooled))
    assert found["probability"].to_numpy() == pytest.approx(expit(2.0 * pooled + 0.5))
    assert model.columns == ("model_score",)
    assert "probability" not in model.apply(rows)
    with pytest.raises(ValueError, match="that of images; use of_units"):
        model.probability(rows)
    assert len(model.of_units(rows.head(0))) == 0


def test_a_model_for_other_clusters_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_text(json.dumps(small("logistic") | {"joined": ["a"]}))
    assert ClusterModel.load(file, reads=["b", "c"]).features == ("a", "b")
    with pytest.raises(UnreadableFileError, match=r"model\.json: the model reads b.*; train it again"):
        ClusterModel.load(file, reads=["a"])


def test_loading_runs_nothing_and_needs_numpy_only(tmp_path: Path) -> None:
    """An audit hook sees every import, compilation and process while a model is loaded and used."""
    for kind in ("logistic", "boosting"):
        (tmp_path / f"{kind}.json").write_text(json.dumps(small(kind)))
    code = """
import sys
import numpy as np
from mcdetect.training import ClusterModel
seen = []
watched = ("compile", "exec", "import", "marshal", "os.", "pickle", "socket", "subprocess", "ctypes")
state = [False]
def hook(name, args):
    if state[0] and name.startswith(watched):
        seen.append((name, str(args)[:80]))
sys.addaudithook(hook)
state[0] = True
for path in sys.argv[1:]:
    model = ClusterModel.load(path)
    model.rule.log_odds(np.array([[0.0, np.nan], [1.0, 2.0]]))
state[0] = False
print(seen)
print(sorted({"sklearn", "pandas", "scipy", "pickle", "joblib"} & set(sys.modules)))
"""
    files = [str(tmp_path / f"{kind}.json") for kind in ("logistic", "boosting")]
    out = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    seen, modules = out.stdout.splitlines()
    assert seen == "[]"
    assert not {"sklearn", "pandas", "scipy", "joblib"} & set(ast.literal_eval(modules))
