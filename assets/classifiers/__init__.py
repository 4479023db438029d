"""Training and evaluation of experts, and the gate."""
