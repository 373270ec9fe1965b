"""Rules over the whole checked model, one module per family."""
