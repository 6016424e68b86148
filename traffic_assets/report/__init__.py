"""The report of a training week: one HTML page that needs nothing else, with every model's numbers and figures.

`contents.py` defines the contents, `findings.py` writes the sentences, and `page.py` renders the template
`report.html.j2`. `assets/report.py` collects the inputs.
"""
