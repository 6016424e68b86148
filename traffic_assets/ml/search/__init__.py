"""Hyperparameter search: trials, their order, shared fits, and the choice of the best trial."""
