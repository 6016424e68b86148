"""The report of a training week: one HTML page that needs nothing else, with every model's numbers and pictures.

`contents.py` says what it holds, `findings.py` puts it into sentences, `page.py` makes the page of the template
`report.html.j2`. Which assets it is made from is in `assets/report.py`.
"""
