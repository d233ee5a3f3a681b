"""Experiments that are too long for a notebook, and what they found."""
