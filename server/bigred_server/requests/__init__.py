"""How a deployment begins, whether a press, a person, the API or a ready release asks for it."""
