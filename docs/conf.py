"""How the pages become a site: `make site`."""

project = "rancher-traefik-bridge"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**.md", "compose/**/README.md"]
myst_heading_anchors = 4
html_theme = "furo"
