"""The retention report of a learning session as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmlp.evaluation import html

_LISTED = 200


def write_retention_report(report: Mapping[str, Any], path: str | Path) -> None:
    """Write the report of :func:`lmlp.lifelong.learn.learn` as HTML.

    Args:
        report: plain data, as in ``<stem>.learning.json``.
        path: file to write.

    Raises:
        InvalidArgumentError: there is a file of another kind.
        OutputError: the file cannot be written.
    """
    parts = [
        _tiles(report),
        _errors(report),
        _calibration(report["tasks"]),
        _listed(
            "Suspects",
            report["suspects"],
            "Excluded from learning and kept: their loss stayed far above that of their task. Look at their "
            "labels first; if those are right, the model lacks capacity for them.",
        ),
        _listed(
            "Suspects among the check structures",
            report.get("check_suspects", []),
            "They count in the errors above, nothing is learned from them; errors without them are in the "
            "JSON report. One that was fine before may have been forgotten.",
        ),
        _listed("Parked", report["parked"], "Learned well; looked at again now and then."),
        _listed(
            "Removed from the memory",
            report["removed"],
            "Their content was dropped to keep the memory's bound; name, checksum and reason stay in it.",
        ),
    ]
    subtitle = f"{report['n_new']:,} new structures, {report['n_earlier']:,} of earlier tasks" + (
        " · refused: the model was not replaced" if report["refused"] else ""
    )
    html.write_page(path, f"Learning {report['task']}", subtitle, [p for p in parts if p])


def _tiles(report: Mapping[str, Any]) -> str:
    items = [
        (html.percent(report["forgetting"]), "", "largest growth of an earlier task's error"),
        (html.percent(report["mean_forgetting"]), "", "mean growth"),
        (html.percent(report["plasticity"]), "", "of the new data's error is gone"),
        (f"{report['gradient_evaluations']:,}", "", "structures per member in all steps"),
    ]
    return html.tiles(items)


def _errors(report: Mapping[str, Any]) -> str:
    from lmlp.plots import plot_group_errors

    rows: list[tuple[object, ...]] = []
    bars: dict[str, float] = {}
    for name, task in report["tasks"].items():
        before, after = task["before"] or {}, task["after"]
        cells: list[object] = [f"{name} (new)" if task["new"] else name, after["n"]]
        for key in ("energy_rmse", "force_rmse"):
            cells += [html.number(before.get(key), 1e3), html.number(after[key], 1e3)]
        rows.append(
            (*cells, html.percent(task.get("change")), html.percent(task.get("forgetting_from_best")))
        )
        if after["force_rmse"] is not None:
            bars[name] = 1e3 * after["force_rmse"]
    header = (
        "task",
        "structures",
        "E before (meV/atom)",
        "E after",
        "F before (meV/Å)",
        "F after",
        "change",
        "above the best so far",
    )
    body = html.table(header, rows)
    if bars:
        picture = plot_group_errors(bars, "force RMSE (meV/Å)", "Force error by task, after learning")
        body += html.figures([html.figure(picture, "force error by task")])
    note = (
        "Root mean square errors on check structures, which are never trained on. Change: of the force "
        "error, of the energy error where there are no forces."
    )
    return html.section("Errors by task", body, note)


def _calibration(tasks: Mapping[str, Any]) -> str:
    rows = []
    for name, task in tasks.items():
        for when in ("before", "after"):
            for quantity, entry in ((task[when] or {}).get("calibration") or {}).items():
                rows.append(
                    (
                        f"{name}, {quantity}, {when}",
                        html.number(entry["ratio"]),
                        html.percent(entry["coverage_1_sigma"]),
                        html.percent(entry["coverage_2_sigma"]),
                        entry["check"]["verdict"],
                    )
                )
    if not rows:
        return ""
    header = ("", "error/σ", "within 1 σ", "within 2 σ", "errors against σ")
    said = "".join(f"<p>{html.escape(sentence)}.</p>" for sentence in contradictions(tasks))
    note = (
        "Size of the errors over σ (ideal 1), errors within 1 σ and 2 σ (68.3 and 95.4 % of a normal "
        "distribution), and whether errors are larger or smaller than the model stated by more than chance "
        "explains. Before: σ of the model before the session, after: σ of the new model."
    )
    return html.section("Uncertainties", said + html.table(header, rows), note)


def contradictions(tasks: Mapping[str, Any]) -> list[str]:
    """Say which errors are larger than σ of the model before the session, or of the new one, said."""
    return [
        f"{name}, {when}: {entry['check']['sentence']}"
        for name, task in tasks.items()
        for when in ("before", "after")
        for entry in ((task[when] or {}).get("calibration") or {}).values()
        if entry["check"]["verdict"] == "larger"
    ]


def _listed(title: str, rows: Sequence[Mapping[str, str]], note: str) -> str:
    if not rows:
        return ""
    cells = [(row["source"], row["task"], row["reason"]) for row in rows[:_LISTED]]
    body = html.table(("structure", "task", "reason"), cells, text_columns=(0, 1, 2))
    if len(rows) > _LISTED:
        body += f"<p class='note'>and {len(rows) - _LISTED} more, all in the JSON report</p>"
    return html.section(f"{title} ({len(rows)})", body, note)
