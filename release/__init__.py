"""Putting a finished training into the box: what makes a file and a card of `blockbyblock.load_pretrained` from it."""
