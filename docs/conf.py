"""How the pages become a site: `make site`, from the folder above, so that README and CHANGELOG are pages of it."""

project = "rancher-traefik-bridge"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**.md", "compose/**/README.md"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "rancher-traefik-bridge"
suppress_warnings = ["misc.highlighting_failure"]  # Pygments knows Terraform's dialect of HCL, and not Consul's
