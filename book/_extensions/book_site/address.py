"""Where the book lives: read from the environment, so that a local build has no dead link and a fork has right ones."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config


@dataclass(frozen=True)
class Address:
    """The addresses of the sources and of the built pages; an empty string where one is not known.

    `site` ends with a slash. `path` is the part of it below the host: "/" or "/project/".
    """

    repository: str = ""
    branch: str = "main"
    site: str = ""

    @property
    def path(self) -> str:
        """The part of the site's address below the host."""
        return urlsplit(self.site).path or "/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Address":
        """Read GitHub's own variables, and BOOK_URL, which names a site that is not at the default Pages address."""
        name = environment.get("GITHUB_REPOSITORY", "")
        site = environment.get("BOOK_URL", "")
        if not name:
            return cls(site=with_slash(site))
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        if not site:
            owner, project = name.split("/")
            host = f"{owner.lower()}.github.io"
            site = f"https://{host}/" if project.lower() == host else f"https://{host}/{project}/"
        return cls(f"{server}/{name}", environment.get("BOOK_BRANCH", "main"), with_slash(site))


def with_slash(url: str) -> str:
    """The address with one slash at its end; an empty one stays empty."""
    return url.rstrip("/") + "/" if url else ""


def configure(app: Sphinx, config: Config) -> None:
    """Set what depends on the address: buttons, canonical links and previews, the prefix of the 404 page."""
    address = Address.from_environment(os.environ)
    if address.repository:
        config.html_theme_options.update(
            repository_url=address.repository,
            repository_branch=address.branch,
            use_repository_button=True,
            use_edit_page_button=True,
            use_issues_button=True,
        )
    config.html_baseurl = address.site
    config.notfound_urls_prefix = address.path


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("config-inited", configure)
