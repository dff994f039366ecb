"""How good a style is: metrics, KID, how drawn it looks, what it costs, the evaluation report."""
