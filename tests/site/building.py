"""Builds the book once for all tests of the site, with the specimen page added."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import specimen
import yaml

ROOT = Path(__file__).parents[2]
OWNER, PROJECT = "reader", "a-fork"
PREFIX = f"/{PROJECT}/"
SITE = f"https://{OWNER}.github.io{PREFIX}"


def documents(root: Path = ROOT) -> list[str]:
    """The documents in a table of contents, in order, without their ending: a chapter, then what stands below it."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in contents["parts"] for chapter in part["chapters"]]
    return [contents["root"], *(page["file"] for each in chapters for page in (each, *each.get("sections", [])))]


PAGES = [*documents(), f"book/{specimen.NAME}"]
WITHOUT_SOURCE = ["404", "search"]


def build(folder: Path) -> Path:
    """Build a copy of the book with warnings as errors, as a fork on GitHub would; return the folder of its pages."""
    source = folder / "source"
    ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    shutil.copytree(ROOT / "book", source / "book", ignore=ignore)
    shutil.copy(ROOT / "_config.yml", source)
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    contents["parts"].append({"caption": "Specimen", "chapters": [{"file": f"book/{specimen.NAME}"}]})
    (source / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")
    specimen.write(source / "book")
    program = shutil.which("jupyter-book", path=str(Path(sys.executable).parent)) or "jupyter-book"
    command = [program, "build", str(source), "-W", "--keep-going"]
    place = {"GITHUB_REPOSITORY": f"{OWNER}/{PROJECT}", "GITHUB_SERVER_URL": "https://github.com", "BOOK_URL": ""}
    done = subprocess.run(
        [*command, "--path-output", str(folder)],
        env=os.environ | place | {"PYTHONUTF8": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"jupyter-book build failed:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return folder / "_build" / "html"
