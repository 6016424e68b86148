"""From feature columns to the vector: the features of a fit, formulas, outliers, selection, and the pipeline itself."""
