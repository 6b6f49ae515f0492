"""What ``python -m convert check`` compares, one kind of comparison a module."""
