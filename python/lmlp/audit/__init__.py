"""Are reference data what they claim? One check per module; :mod:`lmlp.audit.report` runs them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.audit.finding import Finding as Finding
    from lmlp.audit.report import DataReport as DataReport
    from lmlp.audit.report import audit as audit
    from lmlp.audit.report import print_report as print_report

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "DataReport": "report",
        "Finding": "finding",
        "audit": "report",
        "print_report": "report",
    },
)
