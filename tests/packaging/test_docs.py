"""The documentation names what there is: links lead somewhere, modules, functions and files exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FILES = {"lmlp.h", "lmlp.json"}  # a header, an entry of model files
_ROOTS = ("python/lmlp", "csrc/src", "lammps_plugin")  # pages name sources from here
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the docs are not part of this copy")


def anchors(page: Path) -> set[str]:
    """Headings as GitHub names them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def exists(name: str) -> bool:
    """Whether ``lmlp.a.b.C.d`` is a module, or something in one; fields of settings and data count."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            if part in getattr(found, "__annotations__", {}):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_names_of_python(page: Path) -> None:
    names = set(re.findall(r"\blmlp(?:\.[A-Za-z_]\w*)+", page.read_text(encoding="utf-8")))
    assert not [name for name in sorted(names - _FILES) if not exists(name)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_names_of_sources(page: Path) -> None:
    names = set(
        re.findall(r"`([\w./-]+/[\w-]+\.(?:py|cpp|hpp|h|md|toml))`", page.read_text(encoding="utf-8"))
    )
    roots = (page.parent, ROOT, *(ROOT / place for place in _ROOTS))
    assert not [name for name in sorted(names) if not any((root / name).exists() for root in roots)]


@pytest.mark.parametrize(
    ("index", "folder"), [("benchmarks.md", "benchmarks"), ("decisions/README.md", "decisions")]
)
def test_every_page_is_in_its_index(index: str, folder: str) -> None:
    page = ROOT / "docs" / index
    links = {
        link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    }
    listed = {(page.parent / link).resolve() for link in links}
    pages = {p.resolve() for p in (ROOT / "docs" / folder).glob("*.md") if p.resolve() != page.resolve()}
    assert pages <= listed
