"""All messages for users: one module per area, each a list of templates with stable codes.

`catalogue.py` collects them for the documentation and the tests. Not here: the class `Message`
(`dagster_hdfs/message.py`), and the messages of `dagster_hdfs`, which imports nothing else of this project.
"""
