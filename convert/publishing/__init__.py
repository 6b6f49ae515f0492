"""What may leave the folder, the card, the Space and the Hub: the rooms behind ``publish``."""
