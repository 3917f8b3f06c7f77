"""Published pictures made again: what is known of them, the files they need, honest measures."""
