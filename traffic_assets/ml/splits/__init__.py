"""Assignment of rows to splits, folds and halves, with counts, an audit and figures."""
