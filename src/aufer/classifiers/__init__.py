"""The edge to the model libraries: training networks, opening and exporting their files."""
