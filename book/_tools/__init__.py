"""Tools for those who write the book: the environment, running the notebooks, reading them."""
