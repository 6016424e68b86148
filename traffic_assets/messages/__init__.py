"""Every message for users, by area: one module an area, each a list of templates with stable codes.

`catalogue.py` collects them for the documentation and the tests. Not here: what a message is
(`dagster_hdfs/message.py`), and the messages of `dagster_hdfs`, which imports nothing else of ours.
"""
