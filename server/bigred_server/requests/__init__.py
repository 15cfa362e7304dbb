"""How a deployment begins, whoever asks for it: a press, a terminal, the API, or a ready release."""
