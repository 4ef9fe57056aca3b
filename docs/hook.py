"""What the site holds beside docs/: README and its like, and a page for each file of the source that a page links.

The documents link each other and the source by paths that hold in the repository. Here each such link becomes one that
holds in the site, so nobody needs to know an address of the repository.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS, SOURCE = "docs/", "source/"
AT_THE_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<=\]\()[^()\s#:]+(?=(?:#[^()\s]*)?\))")  # where a link or picture leads, but for an anchor
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".js": "js", ".c": "c"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the root, and one for each file outside docs/ that some page links."""
    for path, page in AT_THE_ROOT.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    texts = {in_repository(file.src_uri): file.content_string for file in files.documentation_pages()}
    linked = {target(path, link) for path, text in texts.items() for link in LINK.findall(text)}
    waiting = sorted(path for path in linked if in_site(path).startswith(SOURCE))
    for path in waiting:
        if (ROOT / path).is_dir():
            waiting += [f"{path}/{below.name}" for below in sorted((ROOT / path).iterdir())]
        if (ROOT / path).exists() and files.get_file_from_path(in_site(path)) is None:
            page = File.generated(config, in_site(path), content=shown(path), inclusion=InclusionLevel.NOT_IN_NAV)
            files.append(page)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page, which hold in the repository, into those of the site."""
    here = page.file.src_uri
    if here.startswith(SOURCE):
        return markdown
    folder = posixpath.dirname(here) or "."

    def in_this_page(link: re.Match[str]) -> str:
        return posixpath.relpath(in_site(target(in_repository(here), link[0])), folder)

    return LINK.sub(in_this_page, markdown)


def target(path: str, link: str) -> str:
    """The path in the repository that a link in its document `path` leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def in_site(path: str) -> str:
    """Where a file or folder of the repository is shown: a page of the site, or a picture."""
    if path in AT_THE_ROOT:
        return AT_THE_ROOT[path]
    return path.removeprefix(DOCS) if path.startswith(DOCS) else f"{SOURCE}{path}.md"


def in_repository(page: str) -> str:
    """Where a page of the site lies in the repository."""
    return next((path for path, named in AT_THE_ROOT.items() if named == page), DOCS + page)


def shown(path: str) -> str:
    """A page that shows a file of the source, or what lies in a folder; no search finds it."""
    head = f"---\nsearch: {{exclude: true}}\n---\n\n# {path}\n\n"
    if (ROOT / path).is_dir():
        below = sorted(one.name for one in (ROOT / path).iterdir())
        return head + "".join(f"- [{name}]({posixpath.basename(path)}/{name}.md)\n" for name in below)
    return f"{head}~~~~~~{LANGUAGES.get(Path(path).suffix, 'text')}\n{(ROOT / path).read_text()}\n~~~~~~\n"
