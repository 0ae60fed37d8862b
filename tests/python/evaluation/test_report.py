"""The report is one well-formed page without outside references; what users wrote is escaped."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from lmlp.errors import DataError
from lmlp.evaluation import Evaluation, Section, evaluate, write_report
from lmlp.evaluation.report import relative_energies
from lmlp.plots import plot_nve_energy

from tests.models import write_random_model
from tests.python.evaluation.test_evaluate import SYMBOLS, structure

VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Collects tags, images and text, and checks that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.images = 0
        self.words: list[str] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.links += [v for k, v in values.items() if k in ("src", "href") and not v.startswith("data:")]
        self.images += tag == "img" and values["src"].startswith("data:image/png;base64,")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    path = write_random_model(tmp_path_factory.mktemp("m") / "best<1>.pt", "eeacsf-153", SYMBOLS, members=3)
    plain = evaluate(path, [structure(seed) for seed in range(5)])
    rng = np.random.default_rng(0)
    nasty = {"config_type": '<script>alert("x")</script> & $y_1$'}
    structures = [
        replace(
            r.structure,
            energy=r.prediction.energy + 0.1 * rng.normal(),
            forces=r.prediction.forces + 0.1 * rng.normal(size=r.prediction.forces.shape),
            info=nasty,
        )
        for r in plain.results
    ]
    return evaluate(path, {"<b>test</b>.xyz": structures})


def test_report(evaluation: Evaluation, tmp_path: Path) -> None:
    log = tmp_path / "run.log.jsonl"
    errors = {"energy_rmse": 0.01, "force_rmse": 0.1}
    log.write_text(
        "\n".join(json.dumps({"type": "epoch", "epoch": n, "train": errors, "valid": errors}) for n in (1, 2))
    )
    time = np.linspace(0.0, 1.0, 11)
    nve = plot_nve_energy({"ASE": (time, np.zeros(11))})
    section = Section("Simulations <1>", "text & more", [(nve, "energy")], ("run", "drift"), [("<a>", 1)])
    write_report(evaluation, tmp_path / "r.html", title="Model <i>", log=log, sections=[section])
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.links == []
    assert "http" not in text
    assert not {"script", "b>test", "i"} & (set(page.tags) - {"b"})
    # parity of E and F, two bars, environments, σ, reliability, NVE, learning curve, five structures
    assert page.images == 15
    metrics = evaluation.metrics()
    assert f"{1e3 * metrics['force_rmse']:.3g}" in page.text
    for words in (
        '<script>alert("x")</script>',
        "<b>test</b>.xyz",
        "Model <i>",
        "Simulations <1>",
        "<a>",
        "best<1>.pt",
    ):
        assert words in page.text
    assert "2 epochs" in page.text


def test_log_beside_the_model_is_found(evaluation: Evaluation, tmp_path: Path) -> None:
    few = replace(evaluation, results=evaluation.results[:1])
    write_report(few, tmp_path / "without.html")
    assert "Training" not in Page((tmp_path / "without.html").read_text()).text
    log = Path(evaluation.facts.path).with_name("best<1>.log.jsonl")
    log.write_text(
        '{"type": "epoch", "epoch": 1, "valid": {"energy_rmse": 0.1, "force_rmse": 1.0}}\n{"type": "ep'
    )
    try:
        write_report(few, tmp_path / "with.html")
    finally:
        log.unlink()
    assert "1 epochs" in Page((tmp_path / "with.html").read_text()).text


def test_report_without_labels(evaluation: Evaluation, tmp_path: Path) -> None:
    bare = [replace(r.structure, energy=None, forces=None, stress=None, info={}) for r in evaluation.results]
    write_report(evaluate(evaluation.facts.path, bare), tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text())
    assert "5 structures have no reference energy" in page.text


def test_folder_that_does_not_exist(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write the report"):
        write_report(evaluation, tmp_path / "nowhere" / "r.html")


def test_relative_energies_keep_the_errors(evaluation: Evaluation) -> None:
    reference, predicted = relative_energies(evaluation.results)
    np.testing.assert_allclose(
        predicted - reference, [r.energy_error for r in evaluation.results], atol=1e-12
    )
    assert abs(reference.mean()) < 0.1
