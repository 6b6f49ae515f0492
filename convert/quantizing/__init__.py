"""llama.cpp's quantiser, what it did and what that costs: the rooms behind ``quantize``."""
