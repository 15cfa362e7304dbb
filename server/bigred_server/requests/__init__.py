"""How a deployment begins: by a press, a person, the API or a release that becomes ready."""
