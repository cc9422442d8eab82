"""How runs are kept."""
