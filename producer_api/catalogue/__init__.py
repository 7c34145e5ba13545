"""The models there are, as their cards describe them."""
