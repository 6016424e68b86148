"""The search for hyperparameters: what to try, in which order, how fits are shared, and what is chosen."""
