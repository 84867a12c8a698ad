"""Perturb-then-diagonalise."""
