"""Published backbones: the index, safe loading and conversion."""
