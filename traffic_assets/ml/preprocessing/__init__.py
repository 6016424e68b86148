"""Preprocessing of feature columns into a vector: features, formulas, outliers, selection and the pipeline."""
